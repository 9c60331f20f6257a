// How many mailboxes are billed: the valid ones of the kinds that count, by organisation or by domain.
#pragma once

#include <array>
#include <vector>

#include "control/directory/scope.h"
#include "control/directory/store.h"
#include "smtp/recipients/domains.h"

namespace postern::directory {

/// Which kinds are billed. Aliases never are; `unclassified` (what discovery adds) is billed at once if it is among
/// these, else once a person has given it another kind.
struct billed_kinds {
    std::array<bool, 6> counts{true, false, false, false, false, false};  ///< by `recipients::mailbox_kind`
    bool has(recipients::mailbox_kind kind) const noexcept { return counts.at(static_cast<std::size_t>(kind)); }
};

struct billed {
    std::uint32_t id = 0;  ///< of the organisation or the domain
    std::string name;
    std::uint32_t organisation = 0;
    std::array<std::uint64_t, 6> mailboxes{};  ///< valid ones, by kind
    std::uint64_t billable = 0;
};

enum class billed_by : std::uint8_t { organisation, domain };
struct billing_filter {
    billed_by by = billed_by::organisation;
    std::uint32_t organisation = 0;  ///< 0: any
    const scope* within = nullptr;   ///< null: everything. Of a group: nothing
};
/// By id. With what has no mailbox.
result<page<billed>> list_billed(const reader& in, const billed_kinds& kinds, const billing_filter& filter,
                                 const page_request& at);
/// Of all that the filter has.
result<std::uint64_t> count_billable(const reader& in, const billed_kinds& kinds, const billing_filter& filter);

}  // namespace postern::directory
