// Reading mailboxes and aliases: by id, by address, by filter and search.
#include <algorithm>
#include <array>

#include "control/directory/listing.h"
#include "control/directory/mailboxes.h"
#include "control/directory/rows.h"
#include "control/directory/scope.h"
#include "control/directory/search.h"
#include "control/directory/sorts.h"

namespace postern::directory {

namespace {

constexpr std::array<std::string_view, 3> hold_words = {"none", "pinned", "blocked"};

template <class Enum, std::size_t N>
std::optional<Enum> parse(const std::array<std::string_view, N>& words, std::string_view word) noexcept {
    for (std::size_t at = 0; at < N; ++at) {
        if (words[at] == word) {
            return static_cast<Enum>(at);
        }
    }
    return std::nullopt;
}

constexpr std::string_view mailbox_columns =
    "SELECT a.id, a.domain, a.local || '@' || d.name, a.normal || '@' || d.name, a.first_name, a.last_name,"
    " coalesce(g.name, ''), a.kind, a.internal_only, a.hold, a.valid, a.created, a.updated,"
    " a.grace_until"
    " FROM address a JOIN domain d ON d.id = a.domain LEFT JOIN mailbox_group g ON g.id = a.grp";
constexpr std::string_view alias_columns =
    "SELECT a.id, a.mailbox, a.domain, a.local || '@' || d.name, a.normal || '@' || d.name, a.hold, a.valid, a.created,"
    " a.grace_until FROM address a JOIN domain d ON d.id = a.domain";

std::vector<assertion> sources_of(const reader& in, std::uint64_t address) {
    std::vector<assertion> out;
    statement rows = in.on().query(
        "SELECT s.name, n.since FROM assertion n JOIN source s ON s.id = n.source WHERE n.address = ? ORDER BY s.id",
        address);
    while (rows.step()) {
        out.push_back({std::string(rows.text(0)), rows.integer(1)});
    }
    return out;
}

alias read_alias(const reader& in, const statement& row) {
    alias out;
    out.id = row.as<std::uint64_t>(0);
    out.mailbox = row.as<std::uint64_t>(1);
    out.domain = row.as<std::uint32_t>(2);
    out.address = row.text(3);
    out.normal = row.text(4);
    out.hold = static_cast<hold>(row.integer(5));
    out.valid = row.integer(6) != 0;
    out.created = row.integer(7);
    out.grace_until = row.integer(8);
    out.sources = sources_of(in, out.id);
    return out;
}

mailbox read_mailbox(const reader& in, const statement& row) {
    mailbox out;
    out.id = row.as<std::uint64_t>(0);
    out.domain = row.as<std::uint32_t>(1);
    out.address = row.text(2);
    out.normal = row.text(3);
    out.first_name = row.text(4);
    out.last_name = row.text(5);
    out.group = row.text(6);
    out.kind = static_cast<recipients::mailbox_kind>(row.integer(7));
    out.internal_only = row.integer(8) != 0;
    out.hold = static_cast<hold>(row.integer(9));
    out.valid = row.integer(10) != 0;
    out.created = row.integer(11);
    out.updated = row.integer(12);
    out.grace_until = row.integer(13);
    out.sources = sources_of(in, out.id);
    statement rows =
        in.on().query(std::string(alias_columns) + " WHERE a.mailbox = ? ORDER BY d.name, a.normal", out.id);
    while (rows.step()) {
        out.aliases.push_back(read_alias(in, rows));
    }
    return out;
}

/// The rows that a list shows, each by its id: `columns` ends before WHERE.
template <class Item, class Filter, class Read>
result<page<Item>> list(const reader& in, std::string_view columns, const Filter& filter, const page_request& at,
                        Read read) {
    const std::size_t limit = std::clamp<std::uint32_t>(at.limit, 1, 1000);
    auto found = find_listed(in, filter, at.after, limit + 1);
    if (!found) {
        return tl::unexpected(found.error());
    }
    page<Item> out;
    if (found->size() > limit) {
        found->resize(limit);
        out.next = found->back().position;
    }
    const std::string sql = std::string(columns) + " WHERE a.id = ?";
    for (const listed_row& each : *found) {
        statement row = in.on().query(sql, each.id);
        if (row.step()) {
            out.items.push_back(read(in, row));
        }
    }
    return or_failure(in, std::move(out));
}

bool is_narrow(const scope* within, reach than) {
    return within != nullptr && within->reach < than;
}

template <class Filter>
result<std::uint64_t> count_some(const reader& in, const Filter& filter) {
    const auto found = find_listed(in, filter, "", max_counted);
    if (!found) {
        return tl::unexpected(found.error());
    }
    return found->size();
}

}  // namespace

result<mailbox> find_mailbox(const reader& in, std::uint64_t id) {
    statement row = in.on().query(std::string(mailbox_columns) + " WHERE a.id = ? AND a.mailbox IS NULL", id);
    if (!row.step()) {
        return nothing_found(in, "there is no mailbox " + std::to_string(id));
    }
    return or_failure(in, read_mailbox(in, row));
}

result<mailbox> find_mailbox(const reader& in, std::string_view address) {
    const auto at = place_address(in, address, "address");
    if (!at) {
        error cause = at.error();
        cause.kind = cause.kind == error_kind::invalid ? error_kind::not_found : cause.kind;
        return tl::unexpected(std::move(cause));
    }
    statement row = in.on().query(
        std::string(mailbox_columns) +
            " WHERE a.id = (SELECT coalesce(x.mailbox, x.id) FROM address x WHERE x.domain = ? AND x.normal = ?)",
        at->domain, at->normal);
    if (!row.step()) {
        return nothing_found(in, at->text() + " is not in the list");
    }
    return or_failure(in, read_mailbox(in, row));
}

result<alias> find_alias(const reader& in, std::uint64_t id) {
    statement row = in.on().query(std::string(alias_columns) + " WHERE a.id = ? AND a.mailbox IS NOT NULL", id);
    if (!row.step()) {
        return nothing_found(in, "there is no alias " + std::to_string(id));
    }
    return or_failure(in, read_alias(in, row));
}

result<alias> find_alias(const reader& in, std::string_view address) {
    const auto at = place_address(in, address, "address");
    if (!at) {
        error cause = at.error();
        cause.kind = cause.kind == error_kind::invalid ? error_kind::not_found : cause.kind;
        return tl::unexpected(std::move(cause));
    }
    statement row =
        in.on().query(std::string(alias_columns) + " WHERE a.domain = ? AND a.normal = ? AND a.mailbox IS NOT NULL",
                      at->domain, at->normal);
    if (!row.step()) {
        return nothing_found(in, at->text() + " is not an alias in the list");
    }
    return or_failure(in, read_alias(in, row));
}

result<page<mailbox>> list_mailboxes(const reader& in, const mailbox_filter& filter, const page_request& at) {
    return list<mailbox>(in, mailbox_columns, filter, at, read_mailbox);
}
result<std::uint64_t> count_mailboxes(const reader& in, const mailbox_filter& filter) {
    if (!search_for(filter.search).empty()) {
        return count_some(in, filter);
    }
    if (filter.source.empty()) {
        const auto sorts = find_sorts(in, sort_conditions(filter));
        return sorts ? result<std::uint64_t>(count_of(*sorts)) : tl::unexpected(sorts.error());
    }
    if (filter.kind || filter.group || filter.hold || filter.valid || is_narrow(filter.within, reach::everything)) {
        return count_some(in, filter);
    }
    const auto source = find_source_id(in, filter);
    return source ? count_asserted(in, *source, filter.domain, filter.organisation) : tl::unexpected(source.error());
}

result<page<alias>> list_aliases(const reader& in, const alias_filter& filter, const page_request& at) {
    return list<alias>(in, alias_columns, filter, at, read_alias);
}
result<std::uint64_t> count_aliases(const reader& in, const alias_filter& filter) {
    if (filter.mailbox != 0 || !search_for(filter.search).empty() || is_narrow(filter.within, reach::domains)) {
        return count_some(in, filter);
    }
    const auto sorts = find_sorts(in, sort_conditions(filter));
    return sorts ? result<std::uint64_t>(count_of(*sorts)) : tl::unexpected(sorts.error());
}

std::string_view to_string(hold hold) noexcept {
    const auto at = static_cast<std::size_t>(hold);
    return at < hold_words.size() ? hold_words[at] : "unknown";
}
std::optional<hold> parse_hold(std::string_view word) noexcept {
    return parse<hold>(hold_words, word);
}

}  // namespace postern::directory
