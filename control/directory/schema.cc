#include "control/directory/schema.h"

#include <array>

#include "control/directory/schema_discovery.h"
#include "control/directory/schema_mailroute.h"

namespace postern::directory {

namespace {

// Ids of organisations, domains and routes travel in the table file as 32 bits; AUTOINCREMENT never uses one again.
constexpr const char* model = R"sql(
CREATE TABLE organisation(
    id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id BETWEEN 1 AND 4294967295),
    name TEXT NOT NULL COLLATE NOCASE UNIQUE CHECK (name <> ''),
    created INTEGER NOT NULL
) STRICT;

CREATE TABLE route(
    id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id BETWEEN 1 AND 4294967295),
    organisation INTEGER NOT NULL REFERENCES organisation(id),
    name TEXT NOT NULL COLLATE NOCASE CHECK (name <> ''),
    max_connections INTEGER NOT NULL CHECK (max_connections BETWEEN 1 AND 65535),
    catch_all INTEGER NOT NULL DEFAULT 0,
    probe TEXT NOT NULL DEFAULT '',
    probed INTEGER NOT NULL DEFAULT 0,
    confirmed_by TEXT NOT NULL DEFAULT '',
    confirmed INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL,
    UNIQUE (organisation, name)
) STRICT;
CREATE TABLE route_host(
    route INTEGER NOT NULL REFERENCES route(id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    host TEXT NOT NULL CHECK (host <> ''),
    port INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
    priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 65535),
    PRIMARY KEY (route, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE domain(
    id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id BETWEEN 1 AND 4294967295),
    organisation INTEGER NOT NULL REFERENCES organisation(id),
    name TEXT NOT NULL UNIQUE CHECK (name <> ''),
    target INTEGER REFERENCES domain(id),
    route INTEGER REFERENCES route(id),
    mode INTEGER NOT NULL DEFAULT 0 CHECK (mode BETWEEN 0 AND 3),
    mode_since INTEGER NOT NULL,
    mode_until INTEGER NOT NULL DEFAULT 0,
    subaddress INTEGER NOT NULL DEFAULT 43 CHECK (subaddress BETWEEN 0 AND 126),
    grace_defers INTEGER NOT NULL DEFAULT 0,
    abuse_always INTEGER NOT NULL DEFAULT 1,
    strip_prvs INTEGER NOT NULL DEFAULT 0,
    accept_srs INTEGER NOT NULL DEFAULT 0,
    on_hold INTEGER NOT NULL DEFAULT 0,
    trusted TEXT NOT NULL DEFAULT '',
    created INTEGER NOT NULL
) STRICT;
CREATE INDEX domain_by_target ON domain(target) WHERE target IS NOT NULL;
CREATE INDEX domain_by_route ON domain(route) WHERE route IS NOT NULL;

CREATE TABLE mailbox_group(
    id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id BETWEEN 1 AND 4294967295),
    organisation INTEGER NOT NULL REFERENCES organisation(id),
    name TEXT NOT NULL CHECK (name <> ''),
    created INTEGER NOT NULL,
    UNIQUE (organisation, name)
) STRICT;

-- Mailboxes (mailbox IS NULL) and aliases (mailbox: the entry they lead to), so that an address exists once.
-- valid is kept by the code: (asserted or pinned) and not blocked.
CREATE TABLE address(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    domain INTEGER NOT NULL REFERENCES domain(id),
    normal TEXT NOT NULL CHECK (normal <> ''),
    local TEXT NOT NULL,
    mailbox INTEGER REFERENCES address(id),
    kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 5),
    internal_only INTEGER NOT NULL DEFAULT 0,
    first_name TEXT NOT NULL DEFAULT '',
    last_name TEXT NOT NULL DEFAULT '',
    grp INTEGER REFERENCES mailbox_group(id),
    hold INTEGER NOT NULL DEFAULT 0 CHECK (hold BETWEEN 0 AND 2),
    valid INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    UNIQUE (domain, normal),
    CHECK ((mailbox IS NULL) = (kind <> 4))
) STRICT;
CREATE INDEX address_mailboxes ON address(domain) WHERE mailbox IS NULL;
CREATE INDEX address_by_mailbox ON address(mailbox) WHERE mailbox IS NOT NULL;
CREATE INDEX address_by_group ON address(grp) WHERE grp IS NOT NULL;
CREATE INDEX address_held ON address(hold) WHERE hold <> 0;

CREATE TABLE source(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE CHECK (name <> ''),
    organisation INTEGER REFERENCES organisation(id),
    created INTEGER NOT NULL
) STRICT;
CREATE TABLE assertion(
    address INTEGER NOT NULL REFERENCES address(id) ON DELETE CASCADE,
    source INTEGER NOT NULL REFERENCES source(id),
    since INTEGER NOT NULL,
    PRIMARY KEY (address, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX assertion_by_source ON assertion(source, address);

CREATE TABLE token(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL CHECK (name <> ''),
    role INTEGER NOT NULL CHECK (role BETWEEN 0 AND 2),
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    revoked INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX token_living ON token(name) WHERE revoked = 0;

CREATE TABLE idempotency(
    token INTEGER NOT NULL,
    key TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    status INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    body TEXT NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (token, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency(created);

-- act: one transaction's who, why and when; history: what it did. Both append-only.
CREATE TABLE act(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    why TEXT NOT NULL
) STRICT;
CREATE TABLE history(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    act INTEGER NOT NULL REFERENCES act(id),
    what TEXT NOT NULL,
    subject TEXT NOT NULL,
    domain INTEGER NOT NULL DEFAULT 0,
    source INTEGER,
    before TEXT,
    after TEXT
) STRICT;
CREATE INDEX history_by_subject ON history(subject);
CREATE INDEX history_by_domain ON history(domain);
CREATE INDEX history_by_act ON history(act);
CREATE INDEX act_by_time ON act(at);
CREATE INDEX act_by_who ON act(who);
CREATE TRIGGER act_update BEFORE UPDATE ON act BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;
CREATE TRIGGER act_delete BEFORE DELETE ON act BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;
CREATE TRIGGER history_update BEFORE UPDATE ON history BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;
CREATE TRIGGER history_delete BEFORE DELETE ON history BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;

INSERT INTO organisation(id, name, created) VALUES (1, 'default', unixepoch() * 1000);
INSERT INTO source(id, name, created) VALUES (1, 'manual', unixepoch() * 1000);
)sql";

constexpr const char* publication = R"sql(
CREATE TABLE change(
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 2),
    domain INTEGER NOT NULL DEFAULT 0,
    address TEXT NOT NULL DEFAULT '',
    was INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE generation(
    number INTEGER PRIMARY KEY,
    base TEXT NOT NULL,
    base_seq INTEGER NOT NULL,
    overlay TEXT NOT NULL,
    seq INTEGER NOT NULL,
    addresses INTEGER NOT NULL,
    added INTEGER NOT NULL,
    removed INTEGER NOT NULL,
    made INTEGER NOT NULL,
    published INTEGER NOT NULL
) STRICT;
CREATE TABLE generation_reserved(
    one INTEGER PRIMARY KEY CHECK (one = 1),
    last INTEGER NOT NULL
) STRICT;
INSERT INTO generation_reserved VALUES (1, 0);
-- What was there before the feed began is published as a whole.
INSERT INTO change(kind) VALUES (2);
)sql";

// Trigrams of the local part and the names, so that any part of three characters and more is found by index. The index
// keeps no text (content=''): what it needs to take an entry out is the old row. detail=none: a search asks for all
// trigrams of its part and the row itself is compared afterwards.
constexpr const char* search = R"sql(
CREATE VIRTUAL TABLE address_search USING fts5(text, content='', detail='none', tokenize='trigram');
INSERT INTO address_search(rowid, text)
    SELECT id, normal || ' ' || first_name || ' ' || last_name FROM address;
CREATE TRIGGER address_search_insert AFTER INSERT ON address BEGIN
    INSERT INTO address_search(rowid, text)
        VALUES (new.id, new.normal || ' ' || new.first_name || ' ' || new.last_name);
END;
CREATE TRIGGER address_search_delete AFTER DELETE ON address BEGIN
    INSERT INTO address_search(address_search, rowid, text)
        VALUES ('delete', old.id, old.normal || ' ' || old.first_name || ' ' || old.last_name);
END;
CREATE TRIGGER address_search_update AFTER UPDATE OF normal, first_name, last_name ON address
WHEN old.normal <> new.normal OR old.first_name <> new.first_name OR old.last_name <> new.last_name BEGIN
    INSERT INTO address_search(address_search, rowid, text)
        VALUES ('delete', old.id, old.normal || ' ' || old.first_name || ' ' || old.last_name);
    INSERT INTO address_search(rowid, text)
        VALUES (new.id, new.normal || ' ' || new.first_name || ' ' || new.last_name);
END;
)sql";

// How many addresses of each sort a domain has: what lists, metrics and the status page ask for all the time, and what
// a count over millions of rows would take seconds for.
constexpr const char* counts = R"sql(
CREATE TABLE address_count(
    domain INTEGER PRIMARY KEY,
    mailboxes INTEGER NOT NULL,
    aliases INTEGER NOT NULL,
    valid_mailboxes INTEGER NOT NULL,
    valid_aliases INTEGER NOT NULL,
    blocked INTEGER NOT NULL
) STRICT;
INSERT INTO address_count
    SELECT domain, sum(mailbox IS NULL), sum(mailbox IS NOT NULL), sum(valid AND mailbox IS NULL),
           sum(valid AND mailbox IS NOT NULL), sum(hold = 2)
    FROM address GROUP BY domain;
CREATE TRIGGER address_count_insert AFTER INSERT ON address BEGIN
    INSERT INTO address_count VALUES (new.domain, new.mailbox IS NULL, new.mailbox IS NOT NULL,
            new.valid AND new.mailbox IS NULL, new.valid AND new.mailbox IS NOT NULL, new.hold = 2)
        ON CONFLICT (domain) DO UPDATE SET
            mailboxes = mailboxes + excluded.mailboxes,
            aliases = aliases + excluded.aliases,
            valid_mailboxes = valid_mailboxes + excluded.valid_mailboxes,
            valid_aliases = valid_aliases + excluded.valid_aliases,
            blocked = blocked + excluded.blocked;
END;
CREATE TRIGGER address_count_delete AFTER DELETE ON address BEGIN
    UPDATE address_count SET
        mailboxes = mailboxes - (old.mailbox IS NULL),
        aliases = aliases - (old.mailbox IS NOT NULL),
        valid_mailboxes = valid_mailboxes - (old.valid AND old.mailbox IS NULL),
        valid_aliases = valid_aliases - (old.valid AND old.mailbox IS NOT NULL),
        blocked = blocked - (old.hold = 2)
    WHERE domain = old.domain;
END;
CREATE TRIGGER address_count_update AFTER UPDATE OF valid, hold ON address
WHEN old.valid <> new.valid OR old.hold <> new.hold BEGIN
    UPDATE address_count SET
        valid_mailboxes = valid_mailboxes + (new.mailbox IS NULL) * (new.valid - old.valid),
        valid_aliases = valid_aliases + (new.mailbox IS NOT NULL) * (new.valid - old.valid),
        blocked = blocked + (new.hold = 2) - (old.hold = 2)
    WHERE domain = new.domain;
END;
CREATE TRIGGER address_moves BEFORE UPDATE OF domain ON address WHEN old.domain <> new.domain BEGIN
    SELECT RAISE(ABORT, 'an address stays in its domain');
END;
CREATE TRIGGER address_turns BEFORE UPDATE OF mailbox ON address WHEN (old.mailbox IS NULL) <> (new.mailbox IS NULL) BEGIN
    SELECT RAISE(ABORT, 'a mailbox does not become an alias, nor the other way round');
END;
CREATE TRIGGER address_count_domain AFTER DELETE ON domain BEGIN
    DELETE FROM address_count WHERE domain = old.id;
END;
)sql";

// Directory sources and their syncs (control/sync).
constexpr const char* syncs = R"sql(
-- An address that a sync took stays good until then (grace); 0: not in grace.
ALTER TABLE address ADD COLUMN grace_until INTEGER NOT NULL DEFAULT 0;
CREATE INDEX address_in_grace ON address(grace_until) WHERE grace_until <> 0;
-- The primary address of a directory's user changes: a mailbox becomes an alias and the other way round.
DROP TRIGGER address_turns;
CREATE TRIGGER address_turns AFTER UPDATE OF mailbox ON address WHEN (old.mailbox IS NULL) <> (new.mailbox IS NULL) BEGIN
    UPDATE address_count SET
        mailboxes = mailboxes + (new.mailbox IS NULL) - (old.mailbox IS NULL),
        aliases = aliases + (new.mailbox IS NOT NULL) - (old.mailbox IS NOT NULL),
        valid_mailboxes = valid_mailboxes + old.valid * ((new.mailbox IS NULL) - (old.mailbox IS NULL)),
        valid_aliases = valid_aliases + old.valid * ((new.mailbox IS NOT NULL) - (old.mailbox IS NOT NULL))
    WHERE domain = new.domain;
END;

-- Durations are in milliseconds. cookie: where the last complete fetch ended. served: digest of the organisation's
-- domains then. unsure: the next sync is a whole one and compares everything.
CREATE TABLE sync_source(
    source INTEGER PRIMARY KEY REFERENCES source(id),
    organisation INTEGER NOT NULL REFERENCES organisation(id),
    type TEXT NOT NULL CHECK (type <> ''),
    settings TEXT NOT NULL,
    secret BLOB,
    enabled INTEGER NOT NULL,
    interval INTEGER NOT NULL CHECK (interval > 0),
    removed_count INTEGER NOT NULL,
    removed_percent INTEGER NOT NULL,
    added_count INTEGER NOT NULL,
    added_percent INTEGER NOT NULL,
    total_count INTEGER NOT NULL,
    floor INTEGER NOT NULL,
    grace INTEGER NOT NULL,
    freshness INTEGER NOT NULL,
    fallback_to_defer INTEGER NOT NULL,
    webhook TEXT NOT NULL,
    webhook_secret BLOB,
    emails TEXT NOT NULL,
    notify_additions INTEGER NOT NULL,
    notify_changes INTEGER NOT NULL,
    notify_trouble INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    cookie TEXT NOT NULL DEFAULT '',
    served TEXT NOT NULL DEFAULT '',
    unsure INTEGER NOT NULL DEFAULT 1,
    next_run INTEGER NOT NULL DEFAULT 0,
    last_start INTEGER NOT NULL DEFAULT 0,
    last_good INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    out_of_date INTEGER NOT NULL DEFAULT 0,
    trouble TEXT NOT NULL DEFAULT '',
    guard_since INTEGER NOT NULL DEFAULT 0,
    asserted INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX sync_source_by_organisation ON sync_source(organisation);

-- What each source's objects assert, by the directory's immutable id. A source's assertions are never more than its
-- claims; they are fewer where a person removed an address that the directory still has.
CREATE TABLE sync_object(
    source INTEGER NOT NULL,
    identity TEXT NOT NULL,
    id INTEGER NOT NULL,
    digest INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (source, identity)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX sync_object_by_id ON sync_object(id);
CREATE TABLE sync_claim(
    source INTEGER NOT NULL,
    domain INTEGER NOT NULL,
    normal TEXT NOT NULL,
    object INTEGER NOT NULL,
    PRIMARY KEY (source, domain, normal, object)
) STRICT, WITHOUT ROWID;
CREATE INDEX sync_claim_by_object ON sync_claim(object);

CREATE TABLE sync_run(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source INTEGER NOT NULL REFERENCES source(id),
    state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 11),
    dry INTEGER NOT NULL,
    whole INTEGER NOT NULL DEFAULT 1,
    complete INTEGER NOT NULL DEFAULT 0,
    approved INTEGER NOT NULL DEFAULT 0,
    who TEXT NOT NULL,
    why TEXT NOT NULL,
    step TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    guard TEXT NOT NULL DEFAULT '',
    server TEXT NOT NULL DEFAULT '',
    cookie TEXT NOT NULL DEFAULT '',
    served TEXT NOT NULL DEFAULT '',
    additions_applied INTEGER NOT NULL DEFAULT 0,
    removals_applied INTEGER NOT NULL DEFAULT 0,
    read INTEGER NOT NULL DEFAULT 0,
    left_out INTEGER NOT NULL DEFAULT 0,
    foreign_addresses INTEGER NOT NULL DEFAULT 0,
    unusable INTEGER NOT NULL DEFAULT 0,
    asserted_before INTEGER NOT NULL DEFAULT 0,
    added INTEGER NOT NULL DEFAULT 0,
    removed INTEGER NOT NULL DEFAULT 0,
    changed INTEGER NOT NULL DEFAULT 0,
    moved INTEGER NOT NULL DEFAULT 0,
    decided_by TEXT NOT NULL DEFAULT '',
    decided_why TEXT NOT NULL DEFAULT '',
    act INTEGER NOT NULL DEFAULT 0,
    seq INTEGER NOT NULL DEFAULT 0,
    started INTEGER NOT NULL,
    fetched INTEGER NOT NULL DEFAULT 0,
    applied INTEGER NOT NULL DEFAULT 0,
    in_force INTEGER NOT NULL DEFAULT 0,
    ended INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX sync_run_by_source ON sync_run(source);
CREATE UNIQUE INDEX sync_run_at_work ON sync_run(source) WHERE state <= 3;
CREATE UNIQUE INDEX sync_run_held ON sync_run(source) WHERE state = 4;

-- Domains that went from enforce to defer because a source is out of date.
CREATE TABLE sync_fallback(
    source INTEGER NOT NULL REFERENCES sync_source(source) ON DELETE CASCADE,
    domain INTEGER NOT NULL REFERENCES domain(id) ON DELETE CASCADE,
    since INTEGER NOT NULL,
    PRIMARY KEY (source, domain)
) STRICT, WITHOUT ROWID;
)sql";

// What lists, filters and pages of millions of addresses are answered from. A sort is what the filters of lists ask
// for, all in one: its addresses stand together in an index, in the order of their ids, and are counted as they come
// and go.
constexpr const char* lists = R"sql(
DROP TRIGGER address_count_insert;
DROP TRIGGER address_count_delete;
DROP TRIGGER address_count_update;
DROP TRIGGER address_count_domain;
DROP TRIGGER address_turns;
DROP TABLE address_count;
DROP INDEX address_mailboxes;
DROP INDEX address_held;
CREATE INDEX address_by_sort ON address(domain, kind, hold, valid, grp);
CREATE INDEX address_by_local ON address(normal, domain);

-- grp 0: without a group.
CREATE TABLE address_tally(
    domain INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    hold INTEGER NOT NULL,
    valid INTEGER NOT NULL,
    grp INTEGER NOT NULL,
    addresses INTEGER NOT NULL,
    PRIMARY KEY (domain, kind, hold, valid, grp)
) STRICT, WITHOUT ROWID;
INSERT INTO address_tally
    SELECT domain, kind, hold, valid, coalesce(grp, 0), count(*) FROM address GROUP BY 1, 2, 3, 4, 5;
CREATE TRIGGER address_tally_insert AFTER INSERT ON address BEGIN
    INSERT INTO address_tally VALUES (new.domain, new.kind, new.hold, new.valid, coalesce(new.grp, 0), 1)
        ON CONFLICT DO UPDATE SET addresses = addresses + 1;
END;
CREATE TRIGGER address_tally_delete AFTER DELETE ON address BEGIN
    UPDATE address_tally SET addresses = addresses - 1 WHERE domain = old.domain AND kind = old.kind
        AND hold = old.hold AND valid = old.valid AND grp = coalesce(old.grp, 0);
END;
CREATE TRIGGER address_tally_update AFTER UPDATE OF kind, hold, valid, grp ON address
WHEN old.kind <> new.kind OR old.hold <> new.hold OR old.valid <> new.valid OR old.grp IS NOT new.grp BEGIN
    UPDATE address_tally SET addresses = addresses - 1 WHERE domain = old.domain AND kind = old.kind
        AND hold = old.hold AND valid = old.valid AND grp = coalesce(old.grp, 0);
    INSERT INTO address_tally VALUES (new.domain, new.kind, new.hold, new.valid, coalesce(new.grp, 0), 1)
        ON CONFLICT DO UPDATE SET addresses = addresses + 1;
END;
CREATE VIEW address_count AS
    SELECT domain, sum(iif(kind <> 4, addresses, 0)) AS mailboxes, sum(iif(kind = 4, addresses, 0)) AS aliases,
           sum(iif(kind <> 4 AND valid, addresses, 0)) AS valid_mailboxes,
           sum(iif(kind = 4 AND valid, addresses, 0)) AS valid_aliases, sum(iif(hold = 2, addresses, 0)) AS blocked
    FROM address_tally GROUP BY domain;

-- How many addresses of a domain a source asserts.
CREATE TABLE source_tally(
    source INTEGER NOT NULL,
    domain INTEGER NOT NULL,
    alias INTEGER NOT NULL,
    addresses INTEGER NOT NULL,
    PRIMARY KEY (source, domain, alias)
) STRICT, WITHOUT ROWID;
INSERT INTO source_tally
    SELECT n.source, a.domain, a.mailbox IS NOT NULL, count(*) FROM assertion n JOIN address a ON a.id = n.address
    GROUP BY 1, 2, 3;
CREATE TRIGGER source_tally_insert AFTER INSERT ON assertion BEGIN
    INSERT INTO source_tally SELECT new.source, a.domain, a.mailbox IS NOT NULL, 1 FROM address a
        WHERE a.id = new.address ON CONFLICT DO UPDATE SET addresses = addresses + 1;
END;
CREATE TRIGGER source_tally_delete AFTER DELETE ON assertion BEGIN
    UPDATE source_tally SET addresses = addresses - 1 WHERE (source, domain, alias) =
        (SELECT old.source, a.domain, a.mailbox IS NOT NULL FROM address a WHERE a.id = old.address);
END;
-- Before the row: the trigger above looks at it.
CREATE TRIGGER source_tally_address BEFORE DELETE ON address BEGIN
    DELETE FROM assertion WHERE address = old.id;
END;
-- The primary address of a directory's user changes: a mailbox becomes an alias and the other way round.
CREATE TRIGGER address_turns AFTER UPDATE OF mailbox ON address WHEN (old.mailbox IS NULL) <> (new.mailbox IS NULL) BEGIN
    UPDATE source_tally SET addresses = addresses - 1 WHERE domain = old.domain AND alias = (old.mailbox IS NOT NULL)
        AND source IN (SELECT source FROM assertion WHERE address = old.id);
    INSERT INTO source_tally SELECT source, new.domain, new.mailbox IS NOT NULL, 1 FROM assertion
        WHERE address = new.id ON CONFLICT DO UPDATE SET addresses = addresses + 1;
END;
CREATE TRIGGER address_tally_domain AFTER DELETE ON domain BEGIN
    DELETE FROM address_tally WHERE domain = old.id;
    DELETE FROM source_tally WHERE domain = old.id;
END;
)sql";

// Who may do what (scope.h), and whose a domain is (claims.h).
constexpr const char* tenants = R"sql(
-- label: as people see it, unique among those of one parent. name stays unique among all: sources are called after it.
ALTER TABLE organisation ADD COLUMN label TEXT NOT NULL COLLATE NOCASE DEFAULT '';
ALTER TABLE organisation ADD COLUMN parent INTEGER REFERENCES organisation(id);
ALTER TABLE organisation ADD COLUMN reseller INTEGER NOT NULL DEFAULT 0;
UPDATE organisation SET label = name;
CREATE UNIQUE INDEX organisation_label ON organisation(coalesce(parent, 0), label);
CREATE INDEX organisation_by_parent ON organisation(parent) WHERE parent IS NOT NULL;

-- domain: the group is one within this domain.
ALTER TABLE mailbox_group ADD COLUMN domain INTEGER REFERENCES domain(id);
CREATE INDEX mailbox_group_by_domain ON mailbox_group(domain) WHERE domain IS NOT NULL;

-- The scope: organisation 0 is everything. domains is JSON, ids are not references: they are never used again.
ALTER TABLE token ADD COLUMN organisation INTEGER NOT NULL DEFAULT 0;
ALTER TABLE token ADD COLUMN domains TEXT NOT NULL DEFAULT '[]';
ALTER TABLE token ADD COLUMN grp INTEGER NOT NULL DEFAULT 0;
DROP INDEX token_living;
CREATE UNIQUE INDEX token_living ON token(organisation, name) WHERE revoked = 0;

-- Whose an entry is that is of no domain; 0: of the operator, or from before this was kept.
ALTER TABLE history ADD COLUMN organisation INTEGER NOT NULL DEFAULT 0;
CREATE INDEX history_by_organisation ON history(organisation) WHERE organisation <> 0;

-- proven: when DNS said that the domain is its organisation's; 0: the operator says so.
ALTER TABLE domain ADD COLUMN proven INTEGER NOT NULL DEFAULT 0;
CREATE INDEX domain_by_organisation ON domain(organisation);
CREATE TABLE domain_claim(
    id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id BETWEEN 1 AND 4294967295),
    organisation INTEGER NOT NULL REFERENCES organisation(id) ON DELETE CASCADE,
    name TEXT NOT NULL CHECK (name <> ''),
    target INTEGER REFERENCES domain(id) ON DELETE CASCADE,
    challenge TEXT NOT NULL CHECK (challenge <> ''),
    created INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    checked INTEGER NOT NULL DEFAULT 0,
    finding TEXT NOT NULL DEFAULT '',
    UNIQUE (organisation, name)
) STRICT;
CREATE INDEX domain_claim_by_target ON domain_claim(target) WHERE target IS NOT NULL;
)sql";

// Names of sources are unique within their organisation (NULL: the operator's), so that a name doesn't tell of another
// tenant's. By the way that SQLite gives for a constraint that is to go: a new table takes the old one's place.
constexpr const char* names_of_sources = R"sql(
CREATE TABLE source_next(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL CHECK (name <> ''),
    organisation INTEGER REFERENCES organisation(id),
    created INTEGER NOT NULL
) STRICT;
INSERT INTO source_next(id, name, organisation, created) SELECT id, name, organisation, created FROM source;
DROP TABLE source;
ALTER TABLE source_next RENAME TO source;
CREATE UNIQUE INDEX source_by_name ON source(name, coalesce(organisation, 0));
)sql";

// Pushed lists. push_run: which list a run is. push_source: the last list that was taken of each source; what is not
// higher is refused. sequence 0: a test run.
constexpr const char* pushes = R"sql(
CREATE TABLE push_run(
    run INTEGER PRIMARY KEY REFERENCES sync_run(id) ON DELETE CASCADE,
    whole INTEGER NOT NULL,
    sequence INTEGER NOT NULL
) STRICT;
CREATE TABLE push_source(
    source INTEGER PRIMARY KEY REFERENCES sync_source(source) ON DELETE CASCADE,
    run INTEGER NOT NULL,
    whole INTEGER NOT NULL,
    sequence INTEGER NOT NULL CHECK (sequence > 0),
    digest TEXT NOT NULL
) STRICT;
CREATE INDEX sync_run_by_start ON sync_run(source, started);
)sql";

const std::array<migration, 11> all = {{
    {1, "the model", model},
    {2, "publication", publication},
    {3, "search", search},
    {4, "counts", counts},
    {5, "syncs", syncs},
    {6, "lists", lists},
    {7, "tenants", tenants},
    {8, "names of sources", names_of_sources},
    {9, "pushed lists", pushes},
    {10, "discovery", discovery_schema},
    {11, "mailroute", mailroute_tables},
}};

std::int64_t pragma(connection& on, std::string_view sql) {
    statement asked = on.query(sql);
    return asked.step() ? asked.integer(0) : 0;
}

}  // namespace

std::span<const migration> migrations() noexcept {
    return all;
}

result<void> migrate(connection& on, int version) {
    const int newest = all.back().version;
    const int wanted = version == 0 ? newest : version;
    // A table that others refer to can take another's place only without foreign keys, and these can be switched only
    // outside a transaction; they are checked before the end.
    on.script("PRAGMA foreign_keys=OFF");
    // IMMEDIATE: of two programs that start at once, the second waits and finds the work done.
    on.script("BEGIN IMMEDIATE");
    const std::int64_t mark = pragma(on, "PRAGMA application_id");
    const std::int64_t found = pragma(on, "PRAGMA user_version");
    const std::int64_t tables = pragma(on, "SELECT count(*) FROM sqlite_schema");
    const auto give_up = [&](std::string text) {
        on.script("ROLLBACK; PRAGMA foreign_keys=ON");
        return fail(error_kind::failed, std::move(text));
    };
    if (on.failed()) {
        const error cause = on.failure();
        on.clear_failure();
        return give_up(cause.text);
    }
    if (mark != application_id && (tables != 0 || found != 0)) {
        return give_up("the file is a SQLite database of another program (application id " + std::to_string(mark) +
                       "); give postern-control a path of its own");
    }
    if (found > newest) {
        return give_up("the directory has schema version " + std::to_string(found) +
                       ", but this program knows only up to " + std::to_string(newest) +
                       ": it was used by a newer Postern. Install that version again, or restore a backup made before");
    }
    for (const migration& next : all) {
        if (next.version <= found || next.version > wanted) {
            continue;
        }
        on.script(next.sql);
        on.script(("PRAGMA user_version=" + std::to_string(next.version)).c_str());
        if (on.failed()) {
            const error cause = on.failure();
            on.clear_failure();
            return give_up("migration " + std::to_string(next.version) + " (" + next.subject +
                           ") failed and was taken back: " + cause.text);
        }
    }
    if (mark != application_id) {
        on.script(("PRAGMA application_id=" + std::to_string(application_id)).c_str());
    }
    if (found != newest && on.query("PRAGMA foreign_key_check").step()) {
        return give_up("the directory's rows do not fit together after the migration, which was taken back");
    }
    if (!on.script("COMMIT") || !on.script("PRAGMA foreign_keys=ON")) {
        const error cause = on.failure();
        on.clear_failure();
        return give_up(cause.text);
    }
    return {};
}

}  // namespace postern::directory
