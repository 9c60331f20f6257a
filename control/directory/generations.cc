#include "control/directory/generations.h"

#include <algorithm>

#include "control/directory/connection.h"
#include "control/directory/rows.h"

namespace postern::directory {

namespace {

constexpr std::uint64_t kept = 1000;
constexpr std::string_view columns =
    "SELECT number, base, base_seq, overlay, seq, addresses, added, removed, made, published FROM generation";

generation read(const statement& row) {
    generation out;
    out.number = row.as<std::uint64_t>(0);
    out.base = row.text(1);
    out.base_seq = row.as<std::uint64_t>(2);
    out.overlay = row.text(3);
    out.seq = row.as<std::uint64_t>(4);
    out.addresses = row.as<std::uint64_t>(5);
    out.added = row.as<std::uint64_t>(6);
    out.removed = row.as<std::uint64_t>(7);
    out.made = row.integer(8);
    out.published = row.integer(9);
    return out;
}

}  // namespace

result<std::uint64_t> reserve_generations(writer& in, std::uint64_t floor, std::uint64_t count) {
    std::uint64_t first = 0;
    {
        statement row = in.on().query("SELECT last FROM generation_reserved WHERE one = 1");
        if (!row.step()) {
            return nothing_found(in, "the directory lacks its generation counter; restore it from a backup");
        }
        first = std::max(row.as<std::uint64_t>(0), floor) + 1;
    }
    in.on().run("UPDATE generation_reserved SET last = ? WHERE one = 1", first + count - 1);
    return or_failure(in, first);
}

result<void> record_generation(writer& in, const generation& made) {
    in.on().run(
        "INSERT OR REPLACE INTO generation(number, base, base_seq, overlay, seq, addresses, added, removed, made,"
        " published) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        made.number, made.base, made.base_seq, made.overlay, made.seq, made.addresses, made.added, made.removed,
        made.made, made.published);
    in.on().run(
        "DELETE FROM generation WHERE number <= (SELECT number FROM generation ORDER BY number DESC LIMIT 1 OFFSET ?)",
        kept);
    return or_failure(in);
}

result<std::optional<generation>> last_generation(const reader& in) {
    statement row = in.on().query(std::string(columns) + " ORDER BY number DESC LIMIT 1");
    std::optional<generation> out;
    if (row.step()) {
        out = read(row);
    }
    return or_failure(in, std::move(out));
}

result<page<generation>> list_generations(const reader& in, const page_request& at) {
    const auto cursor = read_cursor(at, std::numeric_limits<std::int64_t>::max());
    if (!cursor) {
        return tl::unexpected(cursor.error());
    }
    statement rows = in.on().query(std::string(columns) + " WHERE number < ? ORDER BY number DESC LIMIT ?",
                                   cursor->after, cursor->limit + 1);
    page<generation> out;
    while (rows.step()) {
        if (out.items.size() == cursor->limit) {
            out.next = std::to_string(out.items.back().number);
            break;
        }
        out.items.push_back(read(rows));
    }
    return or_failure(in, std::move(out));
}

}  // namespace postern::directory
