#include "control/directory/schema_parts.h"

namespace postern::directory {

// Directory sources and their syncs (control/sync).
const char* const syncs_schema = R"sql(
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

-- What each source's objects assert, by the directory's immutable id. A source's assertions are within its claims;
-- fewer where a person removed an address that the directory still has. After a restore they may be any: `unsure`.
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

// Names of sources are unique within their organisation (NULL: the operator's), so that a name doesn't tell of another
// tenant's. By the way that SQLite gives for a constraint that is to go: a new table takes the old one's place.
const char* const names_of_sources_schema = R"sql(
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
const char* const pushes_schema = R"sql(
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

}  // namespace postern::directory
