// Who is told by webhook and e-mail, as the member "notify" of directory sources and of discovery.
#pragma once

#include <boost/json/object.hpp>
#include <vector>

#include "control/api/problem.h"
#include "control/sync/sources.h"

namespace postern::api {

/// What is given is changed, the rest stays. Wrong members are reported below `/notify`.
void read_notify(const boost::json::object& from, sync::notices& to, std::vector<field_error>& errors);
boost::json::object represent(const sync::notices& of);

}  // namespace postern::api
