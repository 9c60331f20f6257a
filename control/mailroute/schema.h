// The pages that describe the API to its clients: the index of resources and each one's schema.
#pragma once

#include <boost/json/object.hpp>

#include "control/mailroute/description.h"

namespace postern::mailroute {

/// {"domain": {"list_endpoint": "/api/v1/domain/", "schema": "/api/v1/domain/schema/"}, …}
boost::json::object index_page();
boost::json::object schema_page(const resource& of);

}  // namespace postern::mailroute
