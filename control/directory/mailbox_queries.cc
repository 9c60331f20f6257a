// Reading mailboxes and aliases: by id, by address, by filter and search.
#include <algorithm>
#include <array>

#include "control/directory/mailboxes.h"
#include "control/directory/rows.h"
#include "control/directory/search.h"

namespace postern::directory {

namespace {

constexpr std::array<std::string_view, 6> kind_words = {"user", "shared", "resource", "list", "alias", "unclassified"};
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

// Parameters 1 to 7, then those of the search (8 to 10); 11 and 12 are the page's.
std::string where(const mailbox_filter& filter, const search_terms& terms) {
    std::string sql = " WHERE a.mailbox IS NULL";
    sql += filter.domain == 0 ? " AND ?1 = 0" : " AND a.domain = ?1";
    sql += filter.organisation == 0 ? " AND ?2 = 0" : " AND d.organisation = ?2";
    sql += !filter.kind ? " AND ?3 = 0" : " AND a.kind = ?3";
    if (!filter.group) {
        sql += " AND ?4 = ''";
    } else {
        sql += filter.group->empty() ? " AND a.grp IS NULL AND ?4 = ''"
                                     : " AND a.grp IN (SELECT id FROM mailbox_group WHERE name = ?4)";
    }
    sql += !filter.hold ? " AND ?5 = 0" : " AND a.hold = ?5";
    sql += !filter.valid ? " AND ?6 = 0" : " AND a.valid = ?6";
    sql += filter.source.empty() ? " AND ?7 = ''"
                                 : " AND EXISTS (SELECT 1 FROM assertion n JOIN source s ON s.id = n.source"
                                   " WHERE n.address = a.id AND s.name = ?7)";
    if (terms.condition.empty()) {
        sql += " AND ?8 IS NOT NULL AND ?9 IS NOT NULL AND ?10 IS NOT NULL";
    } else {
        sql += " AND a.id IN (SELECT coalesce(x.mailbox, x.id) " + terms.condition + ")";
    }
    return sql;
}

template <class... More>
statement query(const reader& in, const std::string& sql, const mailbox_filter& filter, const search_terms& terms,
                const More&... more) {
    return in.on().query(sql, filter.domain, filter.organisation, filter.kind ? static_cast<int>(*filter.kind) : 0,
                         filter.group.value_or(""), filter.hold ? static_cast<int>(*filter.hold) : 0,
                         filter.valid.value_or(false), filter.source, terms.match, terms.like, terms.domain, more...);
}

std::string where(const alias_filter& filter, const search_terms& terms) {
    std::string sql = " WHERE a.mailbox IS NOT NULL";
    sql += filter.domain == 0 ? " AND ?1 = 0" : " AND a.domain = ?1";
    sql += filter.mailbox == 0 ? " AND ?2 = 0" : " AND a.mailbox = ?2";
    sql += " AND ?3 = 0 AND ?4 = 0 AND ?5 = 0 AND ?6 = 0 AND ?7 = 0";  // the search's parameters begin at 8
    if (terms.condition.empty()) {
        sql += " AND ?8 IS NOT NULL AND ?9 IS NOT NULL AND ?10 IS NOT NULL";
    } else {
        sql += " AND a.id IN (SELECT x.id " + terms.condition + ")";
    }
    return sql;
}

template <class... More>
statement query(const reader& in, const std::string& sql, const alias_filter& filter, const search_terms& terms,
                const More&... more) {
    return in.on().query(sql, filter.domain, filter.mailbox, 0, 0, 0, 0, 0, terms.match, terms.like, terms.domain,
                         more...);
}

template <class Item, class Filter, class Read>
result<page<Item>> list(const reader& in, std::string_view columns, const Filter& filter, const page_request& at,
                        Read read) {
    const auto cursor = read_cursor(at);
    if (!cursor) {
        return tl::unexpected(cursor.error());
    }
    const search_terms terms = search_for(filter.search);
    statement rows = query(in, std::string(columns) + where(filter, terms) + " AND a.id > ?11 ORDER BY a.id LIMIT ?12",
                           filter, terms, cursor->after, cursor->limit + 1);
    page<Item> out;
    while (rows.step()) {
        if (out.items.size() == cursor->limit) {
            out.next = std::to_string(out.items.back().id);
            break;
        }
        out.items.push_back(read(in, rows));
    }
    return or_failure(in, std::move(out));
}

/// What the kept counts tell, without looking at the rows.
result<std::uint64_t> kept_count(const reader& in, std::string_view sum, std::uint32_t domain,
                                 std::uint32_t organisation) {
    statement row = in.on().query("SELECT total(" + std::string(sum) +
                                      ") FROM address_count WHERE (?1 = 0 OR domain = ?1) AND (?2 = 0 OR domain IN"
                                      " (SELECT id FROM domain WHERE organisation = ?2))",
                                  domain, organisation);
    const std::uint64_t out = row.step() ? row.as<std::uint64_t>(0) : 0;
    return or_failure(in, out);
}

template <class Filter>
result<std::uint64_t> count(const reader& in, const Filter& filter) {
    const search_terms terms = search_for(filter.search);
    statement row = query(in, "SELECT count(*) FROM address a JOIN domain d ON d.id = a.domain" + where(filter, terms),
                          filter, terms);
    const std::uint64_t out = row.step() ? row.as<std::uint64_t>(0) : 0;
    return or_failure(in, out);
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

result<page<mailbox>> list_mailboxes(const reader& in, const mailbox_filter& filter, const page_request& at) {
    return list<mailbox>(in, mailbox_columns, filter, at, read_mailbox);
}
result<std::uint64_t> count_mailboxes(const reader& in, const mailbox_filter& filter) {
    if (!filter.kind && !filter.group && !filter.hold && filter.source.empty() && filter.search.empty()) {
        const std::string_view sum = !filter.valid   ? "mailboxes"
                                     : *filter.valid ? "valid_mailboxes"
                                                     : "mailboxes - valid_mailboxes";
        return kept_count(in, sum, filter.domain, filter.organisation);
    }
    return count(in, filter);
}

result<page<alias>> list_aliases(const reader& in, const alias_filter& filter, const page_request& at) {
    return list<alias>(in, alias_columns, filter, at, read_alias);
}
result<std::uint64_t> count_aliases(const reader& in, const alias_filter& filter) {
    if (filter.mailbox == 0 && filter.search.empty()) {
        return kept_count(in, "aliases", filter.domain, 0);
    }
    return count(in, filter);
}

std::string_view to_string(recipients::mailbox_kind kind) noexcept {
    const auto at = static_cast<std::size_t>(kind);
    return at < kind_words.size() ? kind_words[at] : "unknown";
}
std::optional<recipients::mailbox_kind> parse_kind(std::string_view word) noexcept {
    return parse<recipients::mailbox_kind>(kind_words, word);
}
std::string_view to_string(hold hold) noexcept {
    const auto at = static_cast<std::size_t>(hold);
    return at < hold_words.size() ? hold_words[at] : "unknown";
}
std::optional<hold> parse_hold(std::string_view word) noexcept {
    return parse<hold>(hold_words, word);
}

}  // namespace postern::directory
