// Sorts of addresses: what the filters of lists ask for, counted as addresses come and go (address_tally), and the same
// by source (source_tally). Private to this folder.
#pragma once

#include <string_view>
#include <vector>

#include "control/directory/mailboxes.h"
#include "control/directory/search.h"

namespace postern::directory {

struct sort {
    std::uint32_t domain = 0;
    int kind = 0;  ///< of recipients::mailbox_kind; aliases are one
    int hold = 0;
    bool valid = false;
    std::uint32_t group = 0;      ///< 0: none
    std::uint64_t addresses = 0;  ///< over 0
};

/// Those that meet conditions on columns of `address_tally`: of mailboxes, then of aliases, the most frequent first.
result<std::vector<sort>> find_sorts(const reader& in, const conditions& on);
/// What a filter says of sorts; its source and search are left out.
conditions sort_conditions(const mailbox_filter& filter);
conditions sort_conditions(const alias_filter& filter);  ///< its mailbox, too; a scope's group as well
/// The same of the row `row` of `address`, which is a mailbox.
void add_row_conditions(conditions& to, const mailbox_filter& filter, const char* row);

/// What a filter's scope says of the row `row` of `address`, which is an alias.
void add_row_scope(conditions& to, const alias_filter& filter, const char* row);

std::uint64_t count_of(const std::vector<sort>& sorts) noexcept;

/// The source that the filter names, 0 without one. `invalid` as `find_source`.
result<std::uint32_t> find_source_id(const reader& in, const mailbox_filter& filter);
/// Mailboxes that a source asserts in a domain (0: any) and an organisation (0: any).
result<std::uint64_t> count_asserted(const reader& in, std::uint32_t source, std::uint32_t domain,
                                     std::uint32_t organisation);

}  // namespace postern::directory
