// Objects of a resource as the directory has them: one, or a page of a list, in the form that clients get.
#pragma once

#include <boost/json/object.hpp>
#include <optional>

#include "control/directory/scope.h"
#include "control/directory/store.h"
#include "control/mailroute/description.h"
#include "control/mailroute/listing.h"

namespace postern::mailroute {

/// 404 for one that is not there or is outside `within`.
result<boost::json::object> find_object(const directory::reader& in, const directory::scope& within, const resource& of,
                                        std::int64_t id);
bool has_object(const directory::reader& in, const directory::scope& within, const resource& of, std::int64_t id);

/// {"meta": {…}, "objects": […]}
result<boost::json::object> list_objects(const directory::reader& in, const directory::scope& within,
                                         const resource& of, const list_request& asked);

}  // namespace postern::mailroute
