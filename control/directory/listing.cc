#include "control/directory/listing.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "control/directory/connection.h"
#include "control/directory/paging.h"
#include "control/directory/search.h"
#include "control/directory/sorts.h"

namespace postern::directory {

namespace {

constexpr std::size_t most_sorts = 4'000;   // beyond it a walk over all rows costs less than so many beginnings
constexpr std::uint64_t few_rows = 20'000;  // looked at one by one rather than found by a text that all others have too
constexpr std::uint64_t dense = 4;          // one row in so many: reading past the others costs nothing

using rows = std::vector<listed_row>;

rows take(statement& from) {
    rows out;
    while (from.step()) {
        out.push_back({std::string(from.text(0)), from.as<std::uint64_t>(1)});
    }
    return out;
}

/// How a list is to be asked for: `x` is the row that matches, its id and that of the row shown are selected.
struct plan {
    std::string join;   ///< of the row shown, if it is another
    conditions on;      ///< of all rows
    std::string shown;  ///< column: the id of the row shown
    search_terms terms;
};

/// The rows of each sort in the order of ids, merged.
result<rows> merge_sorts(const reader& in, const std::vector<sort>& sorts, const plan& of, std::int64_t after,
                         std::size_t limit) {
    const std::string sql = "SELECT x.id, " + of.shown + " FROM address x INDEXED BY address_by_sort" + of.join +
                            " WHERE x.domain = ? AND x.kind = ? AND x.hold = ? AND x.valid = ? AND x.grp IS ?"
                            " AND x.id > ? AND x.id < ?" +
                            of.on.sql + " ORDER BY x.id LIMIT ?";
    std::vector<std::pair<std::int64_t, std::uint64_t>> found;
    std::int64_t below = std::numeric_limits<std::int64_t>::max();
    for (const sort& each : sorts) {
        const parameter group = each.group == 0 ? parameter(nullptr) : parameter(std::int64_t{each.group});
        statement asked = in.on().query(sql, each.domain, each.kind, each.hold, each.valid, std::vector{group}, after,
                                        below, of.on.values, limit);
        const auto middle = static_cast<std::ptrdiff_t>(found.size());
        while (asked.step()) {
            found.emplace_back(asked.integer(0), asked.as<std::uint64_t>(1));
        }
        std::inplace_merge(found.begin(), found.begin() + middle, found.end());
        if (found.size() >= limit) {
            found.resize(limit);
            below = found.back().first;
        }
    }
    rows out;
    out.reserve(found.size());
    for (const auto& [position, id] : found) {
        out.push_back({std::to_string(position), id});
    }
    return or_failure(in, std::move(out));
}

result<rows> walk_all(const reader& in, const plan& of, std::int64_t after, std::size_t limit) {
    statement asked = in.on().query("SELECT x.id, " + of.shown + " FROM address x" + of.join + " WHERE x.id > ?" +
                                        of.on.sql + " ORDER BY x.id LIMIT ?",
                                    after, of.on.values, limit);
    return or_failure(in, take(asked));
}

result<rows> walk_source(const reader& in, std::uint32_t source, const plan& of, std::int64_t after,
                         std::size_t limit) {
    statement asked =
        in.on().query("SELECT x.id, " + of.shown +
                          " FROM assertion n INDEXED BY assertion_by_source CROSS JOIN address x ON x.id ="
                          " n.address" +
                          of.join + " WHERE n.source = ? AND n.address > ?" + of.on.sql + " ORDER BY n.address LIMIT ?",
                      source, after, of.on.values, limit);
    return or_failure(in, take(asked));
}

result<rows> walk_matches(const reader& in, const plan& of, std::int64_t after, std::size_t limit) {
    statement asked = in.on().query(
        "SELECT x.id, " + of.shown + " FROM address_search f CROSS JOIN address x ON x.id = f.rowid" + of.join +
            " WHERE f.address_search MATCH ? AND f.rowid > ?" + of.on.sql + " ORDER BY f.rowid LIMIT ?",
        of.terms.match, after, of.on.values, limit);
    return or_failure(in, take(asked));
}

/// A mark of the alphabetical order: "DOMAIN LOCAL-PART".
result<rows> walk_local_parts(const reader& in, const plan& of, const std::string& after, std::size_t limit) {
    std::uint32_t domain = 0;
    std::string normal = of.terms.prefix;
    if (!after.empty()) {
        const char* const end = after.data() + after.size();
        const auto [stop, code] = std::from_chars(after.data(), end, domain);
        if (code != std::errc() || stop == end || *stop != ' ') {
            return tl::unexpected(no_mark(after));
        }
        normal.assign(stop + 1, end);
    }
    statement asked = in.on().query(
        "SELECT x.domain || ' ' || x.normal, " + of.shown + " FROM address x INDEXED BY address_by_local" + of.join +
            " WHERE (x.normal, x.domain) > (?, ?)" + of.on.sql + " ORDER BY x.normal, x.domain LIMIT ?",
        normal, domain, of.on.values, limit);
    return or_failure(in, take(asked));
}

/// A mailbox is shown at the first of its addresses that match.
void add_first_of_mailbox(plan& of) {
    const bool by_id = of.terms.prefix.empty();
    const auto before = [&](const std::string& row) {
        return by_id ? row + ".id < x.id" : '(' + row + ".normal, " + row + ".domain) < (x.normal, x.domain)";
    };
    conditions own;
    of.terms.add_to(own, "m");
    of.on.sql += " AND NOT (" + before("m") + own.sql + ")";
    of.on.values.insert(of.on.values.end(), own.values.begin(), own.values.end());
    conditions other;
    of.terms.add_to(other, "y");
    of.on.sql += " AND NOT EXISTS (SELECT 1 FROM address y WHERE y.mailbox = m.id AND " + before("y") + other.sql + ")";
    of.on.values.insert(of.on.values.end(), other.values.begin(), other.values.end());
}

/// The mailbox `x` matches, or one of its aliases does.
void add_any_address(plan& of) {
    conditions own;
    of.terms.add_to(own, "x");
    conditions other;
    of.terms.add_to(other, "y");
    of.on.sql += " AND (1" + own.sql + " OR EXISTS (SELECT 1 FROM address y WHERE y.mailbox = x.id" + other.sql + "))";
    of.on.values.insert(of.on.values.end(), own.values.begin(), own.values.end());
    of.on.values.insert(of.on.values.end(), other.values.begin(), other.values.end());
}

/// A search, in the order of what matches.
result<rows> find_matches(const reader& in, const plan& of, const std::string& after, std::size_t limit) {
    if (!of.terms.prefix.empty()) {
        return walk_local_parts(in, of, after, limit);
    }
    const auto cursor = read_cursor({after, 1});
    if (!cursor) {
        return tl::unexpected(cursor.error());
    }
    if (!of.terms.match.empty()) {
        return walk_matches(in, of, cursor->after, limit);
    }
    // "@domain", or one character of the local part's end: all of those domains.
    conditions there;
    there.add("domain IN (SELECT id FROM domain WHERE name LIKE ? ESCAPE '\\')", of.terms.domain);
    const auto sorts = find_sorts(in, there);
    if (!sorts) {
        return tl::unexpected(sorts.error());
    }
    return sorts->size() > most_sorts ? walk_all(in, of, cursor->after, limit)
                                      : merge_sorts(in, *sorts, of, cursor->after, limit);
}

}  // namespace

result<rows> find_listed(const reader& in, const mailbox_filter& filter, const std::string& after, std::size_t limit) {
    plan of;
    of.terms = search_for(filter.search);
    std::uint32_t source = 0;
    if (!filter.source.empty()) {
        const auto named = find_source_id(in, filter);
        if (!named) {
            return tl::unexpected(named.error());
        }
        source = *named;
        if (source == 0) {
            return or_failure(in, rows());
        }
    }
    const auto add_source = [&](const char* row) {
        if (source != 0) {
            of.on.add(
                "EXISTS (SELECT 1 FROM assertion n WHERE n.address = " + std::string(row) + ".id AND n.source = ?)",
                source);
        }
    };
    const auto sorts = find_sorts(in, sort_conditions(filter));
    if (!sorts) {
        return tl::unexpected(sorts.error());
    }
    const std::uint64_t allowed = count_of(*sorts);
    bool one_by_one = of.terms.empty();
    if (!one_by_one && of.terms.prefix.empty() && allowed <= few_rows) {
        const auto all = find_sorts(in, sort_conditions(mailbox_filter()));
        one_by_one = all && allowed * dense < count_of(*all);
    }
    if (!one_by_one) {
        of.join = " CROSS JOIN address m ON m.id = coalesce(x.mailbox, x.id)";
        of.shown = "m.id";
        of.terms.add_to(of.on, "x");
        add_row_conditions(of.on, filter, "m");
        add_source("m");
        add_first_of_mailbox(of);
        return find_matches(in, of, after, limit);
    }
    of.shown = "x.id";
    const auto cursor = read_cursor({after, 1});
    if (!cursor) {
        return tl::unexpected(cursor.error());
    }
    if (allowed == 0) {
        return rows();
    }
    if (!of.terms.empty()) {
        add_any_address(of);
    }
    if (source != 0) {
        const auto here = count_asserted(in, source, filter.domain, filter.organisation);
        const auto all = count_asserted(in, source, 0, 0);
        if (!here || !all || *here == 0) {
            return !here ? tl::unexpected(here.error()) : !all ? tl::unexpected(all.error()) : result<rows>();
        }
        if (*all <= allowed && *here * dense < allowed) {
            of.on.add("x.mailbox IS NULL");
            add_row_conditions(of.on, filter, "x");
            return walk_source(in, source, of, cursor->after, limit);
        }
    }
    if (sorts->size() > most_sorts) {
        of.on.add("x.mailbox IS NULL");
        add_row_conditions(of.on, filter, "x");
        add_source("x");
        return walk_all(in, of, cursor->after, limit);
    }
    add_source("x");
    return merge_sorts(in, *sorts, of, cursor->after, limit);
}

result<rows> find_listed(const reader& in, const alias_filter& filter, const std::string& after, std::size_t limit) {
    plan of;
    of.terms = search_for(filter.search);
    of.shown = "x.id";
    of.terms.add_to(of.on, "x");
    add_row_scope(of.on, filter, "x");
    if (filter.mailbox != 0) {
        of.on.add("x.mailbox = ?", filter.mailbox);
    }
    if (!of.terms.empty() && filter.mailbox == 0) {
        of.on.add("x.mailbox IS NOT NULL");
        if (filter.domain != 0) {
            of.on.add("x.domain = ?", filter.domain);
        }
        return find_matches(in, of, after, limit);
    }
    const auto cursor = read_cursor({after, 1});
    if (!cursor) {
        return tl::unexpected(cursor.error());
    }
    if (filter.mailbox != 0) {
        if (filter.domain != 0) {
            of.on.add("x.domain = ?", filter.domain);
        }
        return walk_all(in, of, cursor->after, limit);
    }
    const auto sorts = find_sorts(in, sort_conditions(filter));
    if (!sorts) {
        return tl::unexpected(sorts.error());
    }
    if (sorts->size() > most_sorts) {
        of.on.add("x.mailbox IS NOT NULL");
        return walk_all(in, of, cursor->after, limit);
    }
    return merge_sorts(in, *sorts, of, cursor->after, limit);
}

}  // namespace postern::directory
