// What resellers and customers share: both are Postern's organisations.
#pragma once

#include "control/mailroute/change.h"

namespace postern::mailroute {

/// SQL: when the organisation `o` was changed last.
inline constexpr std::string_view organisation_updated =
    "coalesce((SELECT t.at FROM history y JOIN act t ON t.id = y.act WHERE y.subject = 'organisation:' || o.id"
    " ORDER BY y.id DESC LIMIT 1), o.created)";

/// `parent` 0: none.
result<std::int64_t> add_organisation(change& in, const resource& of, const std::string& name, std::uint32_t parent);
result<void> rename_organisation(change& in, const resource& of, std::int64_t id, const input& given);
/// 409 while something hangs on it.
result<void> remove_organisation(change& in, std::int64_t id);

}  // namespace postern::mailroute
