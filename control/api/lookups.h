// What several handlers look up in the same way: domains by id or name, mailboxes by id or address, ids in queries.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <limits>
#include <string>

#include "control/api/scope.h"
#include "control/api/service.h"
#include "control/directory/domains.h"
#include "control/directory/mailboxes.h"

namespace postern::api {

inline constexpr std::int64_t max_id32 = std::numeric_limits<std::uint32_t>::max();

/// 201 with Location and the entity tag.
response created(const std::string& location, const boost::json::object& body);

/// A numeric query parameter; 0 if absent.
std::uint32_t id_parameter(query& from, std::string_view name);

/// By id or by any spelling of the name. Of all these only what is in the caller's scope is found.
answer<directory::domain> find_domain_by(const directory::reader& in, const call& of, const std::string& id_or_name);
/// The path's first parameter. `alias`: it must be a domain alias; else it must be none.
answer<directory::domain> domain_argument(const directory::reader& in, const call& of, bool alias);
/// A domain (id or name) of the query; 0 if absent.
answer<std::uint32_t> domain_parameter(const directory::reader& in, call& of, std::string_view name);

/// By id or by address (of the mailbox itself or one of its aliases), without aliases that are outside the scope.
answer<directory::mailbox> find_mailbox_by(const directory::reader& in, const call& of,
                                           const std::string& id_or_address);
/// As `find_mailbox_by` has it; for what a change answers.
answer<directory::mailbox> shown(const directory::reader& in, const call& of, directory::mailbox box);

}  // namespace postern::api
