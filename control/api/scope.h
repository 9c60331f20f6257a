// The caller's scope in handlers: what is outside it is answered as if it were not there.
//
// routes.cc says of each route how narrow a token it takes (`narrowest`; unless given: only one that reaches
// everything), and api.cc refuses the others with 403. A handler of a route for narrower tokens
//   - gives `&scope_of(of)` to the list's filter as `within` (or puts directory/scope_sql.h's condition into its
//   query);
//   - asks `see_organisation` (or `sees_all_of`, or scope.has) of each single thing that it found;
//   - takes a new thing's organisation from `organisation_for`.
#pragma once

#include <optional>
#include <string>

#include "control/api/service.h"
#include "control/directory/scope.h"

namespace postern::api {

const directory::scope& scope_of(const call& of);

/// 404 with `absent`, the words for what is not there, unless the organisation is in the scope with all that is in it.
answer<void> see_organisation(const call& of, std::uint32_t organisation, std::string absent);

/// The organisation of a new thing: as given, else the caller's own (the default one for the operator). 422 with the
/// pointer in the words for one that is not there, if it is outside the scope.
answer<std::uint32_t> organisation_for(const call& of, std::optional<std::int64_t> given, std::string pointer);

/// 403 for a change that takes a token for more; `what` begins a sentence: "A new domain".
problem beyond_scope(const std::string& what, const std::string& instead);

}  // namespace postern::api
