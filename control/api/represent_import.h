// What an import found, as the API's JSON (openapi.yaml: ImportReport, RowError).
#pragma once

#include <boost/json/object.hpp>

#include "control/sources/import.h"

namespace postern::api {

/// Without the row errors, of which there may be a thousand.
boost::json::object represent(const sources::import_report& of, bool with_samples);
boost::json::object represent(const sources::row_error& of);

}  // namespace postern::api
