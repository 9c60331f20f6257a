#include "control/directory/schema_parts.h"

namespace postern::directory {

// Trigrams of the local part and the names, so that any part of three characters and more is found by index. The index
// keeps no text (content=''): what it needs to take an entry out is the old row. detail=none: a search asks for all
// trigrams of its part and the row itself is compared afterwards.
const char* const search_schema = R"sql(
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
const char* const counts_schema = R"sql(
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

// What lists, filters and pages of millions of addresses are answered from. A sort is what the filters of lists ask
// for, all in one: its addresses stand together in an index, in the order of their ids, and are counted as they come
// and go.
const char* const lists_schema = R"sql(
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

}  // namespace postern::directory
