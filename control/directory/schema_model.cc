#include "control/directory/schema_parts.h"

namespace postern::directory {

// Ids of organisations, domains and routes travel in the table file as 32 bits; AUTOINCREMENT never uses one again.
const char* const model_schema = R"sql(
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

const char* const publication_schema = R"sql(
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

}  // namespace postern::directory
