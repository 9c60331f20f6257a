// A scope as a part of a query's text and its parameters. For the directory's own code and the sources'.
//
//     sql += " AND " + domain_condition(within, "d", "?9");   // … .query(sql, …, scope_ids(within))
#pragma once

#include <string>
#include <string_view>

#include "control/directory/scope.h"

namespace postern::directory {

/// JSON array of the ids that the conditions below compare with: organisations, or domains.
std::string scope_ids(const scope& within);

/// Whether the row `row` of `domain` is in the scope. `parameter` is bound to `scope_ids`.
std::string domain_condition(const scope& within, std::string_view row, std::string_view parameter);
/// The same of a column that holds a domain's id.
std::string domain_id_condition(const scope& within, std::string_view column, std::string_view parameter);
/// Whether the column's organisation is in the scope with all that is in it.
std::string organisation_condition(const scope& within, std::string_view column, std::string_view parameter);
/// Whether the row `row` of `address`, a mailbox or an alias, is of the scope's group; always, if it has none.
/// `parameter` is bound to `within.group`.
std::string group_condition(const scope& within, std::string_view row, std::string_view parameter);

}  // namespace postern::directory
