// "Were you valid at time T, and by whom": replayed from the history of one address.
#include <algorithm>
#include <map>

#include "control/directory/history.h"
#include "control/directory/rows.h"

namespace postern::directory {

result<past_standing> standing_at(const reader& in, std::string_view address, timestamp at, bool whole) {
    const auto where = place_address(in, address, "address");
    if (!where) {
        return tl::unexpected(where.error());
    }
    statement rows = in.on().query(
        "SELECT h.id, a.at, a.who, a.why, h.what, h.subject, h.domain, s.name, h.before, h.after,"
        " json_extract(h.after, '$.hold'), json_extract(h.after, '$.grace_until') FROM history h JOIN act a ON a.id = "
        "h.act"
        " LEFT JOIN source s ON s.id = h.source WHERE h.subject = ?1 AND (?2 = 0 OR a.at <= ?2) AND (?3 = 0 OR "
        "h.domain "
        "= ?3) ORDER BY h.id",
        "address:" + where->text(), at, whole ? 0U : where->domain);
    past_standing out;
    std::string hold;
    while (rows.step()) {
        const std::string_view what = rows.text(4);
        const std::string source(rows.text(7));
        const bool was_valid = out.valid;
        if (what == "removed") {
            out.sources.clear();
            out.grace_until = 0;
            hold.clear();
        } else if (what == "withdrawn") {
            std::erase(out.sources, source);
            out.grace_until = rows.is_null(11) ? out.grace_until : rows.integer(11);
        } else if (!source.empty() && std::ranges::find(out.sources, source) == out.sources.end()) {
            out.sources.push_back(source);
            out.grace_until = 0;
        }
        if (!rows.is_null(10)) {
            hold = rows.text(10);
            out.grace_until = hold == "none" ? out.grace_until : 0;
        } else if (what == "lifted") {
            hold.clear();
        }
        out.valid = hold != "blocked" && (hold == "pinned" || !out.sources.empty() || out.grace_until != 0);
        if (out.valid != was_valid || !out.last) {
            out.last = history_entry{rows.as<std::uint64_t>(0), rows.integer(1),
                                     std::string(rows.text(2)), std::string(rows.text(3)),
                                     std::string(what),         std::string(rows.text(5)),
                                     rows.as<std::uint32_t>(6), source,
                                     std::string(rows.text(8)), std::string(rows.text(9))};
        }
    }
    return or_failure(in, std::move(out));
}

}  // namespace postern::directory
