// Mailboxes and aliases: the addresses of the list, and what a person does to them.
//
// Each is one row of the same table, so an address exists once. It is valid while any source asserts it or a person
// has pinned it, unless it is blocked; and for its source's grace after a sync took it. What these functions add is
// asserted by the source "manual" unless another is named.
// An entry that nothing asserts goes away, unless it is pinned or blocked or has aliases that stay.
#pragma once

#include <optional>

#include "control/directory/store.h"
#include "smtp/recipients/kind_words.h"

namespace postern::directory {

struct scope;  // scope.h

/// What a person decided about an address, beyond its sources.
enum class hold : std::uint8_t { none = 0, pinned = 1, blocked = 2 };

struct assertion {
    std::string source;  ///< "manual", "csv:ORGANISATION/DOMAIN", …
    timestamp since = 0;
};

struct alias {
    std::uint64_t id = 0;
    std::uint64_t mailbox = 0;
    std::uint32_t domain = 0;
    std::string address;  ///< local part as given, `@`, the domain's normal name
    std::string normal;   ///< as the table has it
    directory::hold hold = hold::none;
    bool valid = false;
    timestamp grace_until = 0;  ///< a sync took it, but it stays good until then; 0: not in grace
    std::vector<assertion> sources;
    timestamp created = 0;
};

struct mailbox {
    std::uint64_t id = 0;
    std::uint32_t domain = 0;
    std::string address;  ///< local part as given, `@`, the domain's normal name
    std::string normal;   ///< as the table has it
    std::string first_name;
    std::string last_name;
    std::string group;  ///< name; empty: none
    recipients::mailbox_kind kind = recipients::mailbox_kind::user;
    bool internal_only = false;
    directory::hold hold = hold::none;
    bool valid = false;
    timestamp grace_until = 0;  ///< a sync took it, but it stays good until then; 0: not in grace
    std::vector<assertion> sources;
    std::vector<alias> aliases;  ///< by address
    timestamp created = 0;
    timestamp updated = 0;
};

struct new_mailbox {
    std::string address;  ///< in a served domain; one in a domain alias goes to its target
    std::string first_name;
    std::string last_name;
    std::string group;  ///< made if the domain's organisation has none of this name
    recipients::mailbox_kind kind = recipients::mailbox_kind::user;  ///< not `alias`
    bool internal_only = false;
    std::vector<std::string> aliases;  ///< whole addresses, in any served domain of the same organisation
    std::uint32_t source = 1;          ///< who asserts the mailbox; aliases are always asserted by "manual"
};
result<mailbox> add_mailbox(writer& in, const new_mailbox& input);

/// What is set is changed, the rest stays.
struct mailbox_change {
    std::optional<std::string> first_name;
    std::optional<std::string> last_name;
    std::optional<std::string> group;
    std::optional<recipients::mailbox_kind> kind;
    std::optional<bool> internal_only;
    std::optional<directory::hold> hold;
    std::optional<std::vector<std::string>> aliases;  ///< the whole new set of addresses
};
result<mailbox> change_mailbox(writer& in, std::uint64_t id, const mailbox_change& change);
/// Removes the entry, its aliases and every source's assertion of them (a later import may bring them back: block an
/// address to keep it out).
result<void> remove_mailbox(writer& in, std::uint64_t id);

result<alias> add_alias(writer& in, std::uint64_t mailbox, std::string_view address);
result<alias> set_alias_hold(writer& in, std::uint64_t id, hold hold);
result<void> remove_alias(writer& in, std::uint64_t id);

/// Blocks an address of a served domain whether or not anything lists it.
result<mailbox> block_address(writer& in, std::string_view address);

result<mailbox> find_mailbox(const reader& in, std::uint64_t id);
/// By the address of the mailbox or of one of its aliases, in any spelling, domain aliases resolved.
result<mailbox> find_mailbox(const reader& in, std::string_view address);
result<alias> find_alias(const reader& in, std::uint64_t id);
result<alias> find_alias(const reader& in, std::string_view address);

struct mailbox_filter {
    std::uint32_t domain = 0;        ///< 0: any
    std::uint32_t organisation = 0;  ///< 0: any
    std::optional<recipients::mailbox_kind> kind;
    std::optional<std::string> group;  ///< by name; "": without one
    std::optional<directory::hold> hold;
    std::optional<bool> valid;
    std::string source;             ///< asserted by it; empty: any
    const scope* within = nullptr;  ///< null: everything
    /// Part of the address (of the mailbox, or of an alias) or of a name. Under three characters: the beginning of the
    /// local part. `part@part`: end of the local part and beginning of the domain.
    std::string search;
};
/// By id, so in the order of adding; a search: in that of the addresses that match, one of under three characters
/// alphabetically.
result<page<mailbox>> list_mailboxes(const reader& in, const mailbox_filter& filter, const page_request& at);
/// More are not counted, for a search or for a source together with kind, group, hold or validity.
constexpr std::uint64_t max_counted = 10'000;
result<std::uint64_t> count_mailboxes(const reader& in, const mailbox_filter& filter);

struct alias_filter {
    std::uint32_t domain = 0;       ///< 0: any
    std::uint64_t mailbox = 0;      ///< 0: any
    std::string search;             ///< as above, of the alias alone
    const scope* within = nullptr;  ///< null: everything
};
/// In the order of mailboxes.
result<page<alias>> list_aliases(const reader& in, const alias_filter& filter, const page_request& at);
/// As above: of a mailbox or for a search.
result<std::uint64_t> count_aliases(const reader& in, const alias_filter& filter);

using recipients::parse_kind;
using recipients::to_string;
std::string_view to_string(hold hold) noexcept;  ///< "none", "pinned", "blocked"
std::optional<hold> parse_hold(std::string_view word) noexcept;

}  // namespace postern::directory
