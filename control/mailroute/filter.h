// One filter of a list as a condition of its query.
#pragma once

#include <string_view>
#include <vector>

#include "control/mailroute/listing.h"

namespace postern::mailroute {

/// "name__startswith" and its value. 400 for a field that can't be filtered, a comparison that it does not have and a
/// value that it can't be compared with.
result<void> add_filter(const resource& of, std::string_view name, std::string_view value, list_request& to);

/// `q`: part of what the resource is searched by.
void add_search(const resource& of, std::string_view part, list_request& to);

/// The parts between commas.
std::vector<std::string_view> split(std::string_view list);

}  // namespace postern::mailroute
