// Many addresses at once, by sets: what imports and syncs do after they changed assertions or payloads of rows.
//
//     begin_bulk(on);                                    // an empty temp.bulk(address, payload)
//     … change `assertion`, `kind`, `grace_until` …, and put every row concerned into temp.bulk
//     settle_bulk(writer);                               // valid, the feed, rows that nothing keeps
#pragma once

#include <cstdint>

#include "control/directory/connection.h"
#include "control/directory/store.h"

namespace postern::directory {

/// Makes the connection's temporary table `bulk(address INTEGER PRIMARY KEY, payload INTEGER)` anew. payload 1: what
/// the table file says of the address beyond its being there has changed.
void begin_bulk(connection& on);

/// For every row in temp.bulk: ends a grace that is no longer needed, brings `valid` up to date, tells the feed, and
/// takes the row away if nothing keeps it (a mailbox too that only an alias of these kept).
result<void> settle_bulk(writer& in);

/// Addresses whose grace ended by `in.now()` leave the list, at most `limit` of them; how many did.
result<std::uint64_t> end_graces(writer& in, std::uint64_t limit = 10'000);
/// Addresses in grace now.
result<std::uint64_t> count_in_grace(const reader& in);

/// JSON of row `a` of `address` (with `domain d`) for history: what an import or a sync can change, and what brings the
/// row back. A part of a SELECT.
constexpr const char* bulk_entry_json =
    "json_object('id', a.id, 'address', a.local || '@' || d.name, 'kind', a.kind, 'mailbox', (SELECT m.normal || '@' ||"
    " (SELECT name FROM domain WHERE id = m.domain) FROM address m WHERE m.id = a.mailbox), 'first_name', a.first_name,"
    " 'last_name', a.last_name, 'group', (SELECT g.name FROM mailbox_group g WHERE g.id = a.grp),"
    " 'internal_only', json(iif(a.internal_only, 'true', 'false')))";

}  // namespace postern::directory
