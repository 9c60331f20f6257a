// Directory sources, syncs and restores as the API's JSON (openapi.yaml, components/schemas).
#pragma once

#include <boost/json/object.hpp>

#include "control/sources/connection_test.h"
#include "control/sync/push.h"
#include "control/sync/restore.h"
#include "control/sync/runs.h"
#include "control/sync/sources.h"

namespace postern::api {

boost::json::object represent(const sync::directory_source& of);  ///< without its secrets
boost::json::object represent(const sync::sync_run& of);
boost::json::object represent(const sync::push_state& of);
boost::json::object represent(const sync::diff_item& of);
boost::json::object represent(const sync::run_problem& of);
boost::json::object represent(const sync::restore_report& of);
boost::json::object represent(const sources::test_report& of);

}  // namespace postern::api
