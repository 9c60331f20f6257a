// What the columns of a CSV file are, and what a row says: found from the header where there is one, else from the
// shape of the first rows. docs/csv.md names the layouts.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "control/sources/csv_reader.h"
#include "smtp/recipients/domains.h"

namespace postern::sources {

enum class column_role : std::uint8_t {
    ignored,
    email,  ///< the mailbox's address, or its local part
    first_name,
    last_name,
    group,  ///< the first of several counts
    kind,
    alias,          ///< one address
    aliases,        ///< several, separated by space, `;`, `,` or `|`
    proxies,        ///< several with prefixes: `SMTP:` the mailbox, `smtp:` an alias, others are skipped
    alias_address,  ///< of an alias list: the alias …
    user_address,   ///< … and the mailbox that it leads to
    domain,         ///< for a local part in the alias's column
};
std::string_view to_string(column_role role) noexcept;

struct csv_layout {
    std::string name;
    bool header = false;
    std::vector<column_role> columns;
    std::vector<std::string> names;  ///< of the header; empty without one

    bool has(column_role role) const noexcept;
    bool has_aliases() const noexcept;
    std::string name_of(std::uint32_t column) const;  ///< `column` from 1
};

/// From the first rows of a file (at least one; ten are enough). `header`: whether the first is one, if the caller
/// knows. The error says why no column with addresses was found.
tl::expected<csv_layout, std::string> guess_layout(std::span<const csv_row> first_rows, std::optional<bool> header);

/// An address as the row has it.
struct csv_address {
    std::string text;
    std::uint32_t column = 0;  ///< from 1
};

/// What one row says. Texts are trimmed, not checked.
struct csv_entry {
    csv_address address;  ///< of the mailbox; empty text: the row names none
    std::string first_name;
    std::string last_name;
    std::string group;
    std::optional<recipients::mailbox_kind> kind;
    std::vector<csv_address> aliases;
    row_error problem;  ///< `reason` not empty: the row can't be used, or (beside a good address) one cell of it
};
csv_entry read_entry(const csv_row& row, const csv_layout& layout);

}  // namespace postern::sources
