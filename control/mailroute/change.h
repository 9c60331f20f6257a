// A request at work: who asks and for what, and its transaction if it changes something.
#pragma once

#include <string>

#include "control/api/service.h"
#include "control/directory/scope.h"
#include "control/directory/store.h"
#include "control/mailroute/description.h"
#include "control/sync/secrets.h"

namespace postern::mailroute {

/// What the resources need beyond the API's own service.
struct service {
    api::service& api;
    const sync::secret_box& secrets;
};

/// What the caller's key reaches.
const directory::scope& scope_of(const api::caller& of);

struct change {
    service& with;
    directory::writer& in;
    const api::caller& caller;
    const directory::scope& within() const { return scope_of(caller); }
};

/// The id of what a relation of a request leads to, if the caller may see it; 400 by field otherwise. nullopt: it was
/// not given, or null.
result<std::optional<std::int64_t>> see(const change& in, const resource& of, std::string_view field,
                                        std::optional<std::int64_t> given);

/// 403 for what takes a key for more.
tl::unexpected<api::response> beyond_key(std::string_view text);

}  // namespace postern::mailroute
