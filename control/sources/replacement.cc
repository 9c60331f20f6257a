#include "control/sources/replacement.h"

#include <algorithm>

#include "control/directory/connection.h"

namespace postern::sources {

namespace {

using directory::statement;

constexpr directory::timestamp window = 24LL * 3600 * 1000;

template <class... Arguments>
std::uint64_t number(const directory::reader& in, std::string_view sql, const Arguments&... arguments) {
    statement row = in.on().query(sql, arguments...);
    return row.step() ? row.as<std::uint64_t>(0) : 0;
}

}  // namespace

directory::result<replacement> weigh(const directory::reader& in, std::uint32_t source, directory::timestamp now) {
    replacement out;
    out.staged = number(in, "SELECT count(*) FROM temp.staged");
    out.asserted = number(in, "SELECT count(*) FROM assertion WHERE source = ?", source);
    out.added = number(in,
                       "SELECT count(*) FROM temp.staged s WHERE NOT EXISTS"
                       " (SELECT 1 FROM assertion n WHERE n.address = s.existing AND n.source = ?)",
                       source);
    out.removed = number(in,
                         "SELECT count(*) FROM assertion n WHERE n.source = ? AND NOT EXISTS"
                         " (SELECT 1 FROM temp.staged s WHERE s.existing = n.address)",
                         source);
    const std::string subject = "import:" + [&] {
        statement row = in.on().query("SELECT name FROM source WHERE id = ?", source);
        return row.step() ? std::string(row.text(0)) : std::string();
    }();
    const auto approved = static_cast<directory::timestamp>(
        number(in,
               "SELECT max(a.at) FROM history h JOIN act a ON a.id = h.act WHERE h.subject = ? AND h.what = 'imported'"
               " AND json_extract(h.after, '$.approved')",
               subject));
    const directory::timestamp since = std::max(now - window, approved);
    out.oldest = out.asserted;
    {
        statement row = in.on().query(
            "SELECT json_extract(h.after, '$.asserted_before') FROM history h JOIN act a ON a.id = h.act"
            " WHERE h.subject = ? AND h.what = 'imported' AND a.at > ? AND json_extract(h.after, '$.asserted_before') "
            "> 0"
            " ORDER BY h.id LIMIT 1",
            subject, since);
        if (row.step()) {
            out.oldest = row.as<std::uint64_t>(0);
        }
    }
    // What came back meanwhile, or comes back now, was not removed.
    out.removed_earlier =
        number(in,
               "SELECT count(*) FROM (SELECT DISTINCT w.subject AS subject, w.domain AS domain FROM history h JOIN act "
               "a ON a.id "
               "= h.act JOIN history w ON w.act = h.act AND w.what = 'withdrawn' AND w.source = ?1"
               " WHERE h.subject = ?2 AND h.what = 'imported' AND a.at > ?3) g JOIN domain d ON d.id = g.domain"
               " WHERE NOT EXISTS (SELECT 1 FROM address a JOIN assertion n ON n.address = a.id AND n.source = ?1"
               "  WHERE a.domain = d.id AND a.normal = substr(g.subject, 9, length(g.subject) - 9 - length(d.name)))"
               " AND NOT EXISTS (SELECT 1 FROM temp.staged s WHERE s.domain = d.id AND s.normal ="
               "  substr(g.subject, 9, length(g.subject) - 9 - length(d.name)))",
               source, subject, since);
    return directory::or_failure(in, out);
}

}  // namespace postern::sources
