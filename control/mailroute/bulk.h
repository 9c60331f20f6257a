// Calls that change many objects at once, all of them or none.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "control/mailroute/change.h"

namespace postern::mailroute {

/// An array of objects, each as POST takes it. The new ones' ids.
result<std::vector<std::int64_t>> add_many(change& in, const resource& of, const boost::json::value& body);
/// "id__in=1,2": those that are there are deleted.
result<void> delete_many(change& in, const resource& of, std::string_view query);
/// An array of local parts, or of objects with `localpart`, for a domain. Those that are accounts already stay. The
/// accounts' ids, in the order given.
result<std::vector<std::int64_t>> add_accounts(change& in, std::int64_t domain_id, const boost::json::value& body);
/// {"aliases": ["a", "b"]}: local parts in the account's domain, or addresses. Those that it has already stay.
result<void> add_aliases(change& in, std::int64_t account, const boost::json::value& body);
/// {"accounts": [URI, …]}: these accounts become its aliases.
result<void> turn_into_aliases(change& in, std::int64_t account, const boost::json::value& body);

}  // namespace postern::mailroute
