#include "control/directory/schema_parts.h"

namespace postern::directory {

const char* const discovery_schema = R"sql(
-- A domain without a row has the usual settings. ends_in: the mode behind `discover`. probed: when the mail server was
-- asked for a random address last; in_mode: mode_since then; server: its hosts then; takes_any: the last finding, at
-- found (NULL: none). review: candidates are to be decided anew. told: when a digest left last.
CREATE TABLE discovery(
    domain INTEGER PRIMARY KEY REFERENCES domain(id) ON DELETE CASCADE,
    clean INTEGER NOT NULL DEFAULT 1 CHECK (clean BETWEEN 1 AND 20),
    days INTEGER NOT NULL DEFAULT 14 CHECK (days BETWEEN 1 AND 90),
    ends_in INTEGER NOT NULL DEFAULT 0 CHECK (ends_in IN (0, 3)),
    webhook TEXT NOT NULL DEFAULT '',
    webhook_secret BLOB,
    emails TEXT NOT NULL DEFAULT '',
    tell_additions INTEGER NOT NULL DEFAULT 1,
    tell_changes INTEGER NOT NULL DEFAULT 1,
    tell_trouble INTEGER NOT NULL DEFAULT 1,
    probed INTEGER NOT NULL DEFAULT 0,
    probe_due INTEGER NOT NULL DEFAULT 0,
    in_mode INTEGER NOT NULL DEFAULT 0,
    server TEXT NOT NULL DEFAULT '',
    takes_any INTEGER,
    found INTEGER NOT NULL DEFAULT 0,
    probe_said TEXT NOT NULL DEFAULT '',
    suspended INTEGER NOT NULL DEFAULT 0,
    review INTEGER NOT NULL DEFAULT 0,
    told INTEGER NOT NULL DEFAULT 0,
    warned INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX discovery_review ON discovery(domain) WHERE review;

-- normal: the local part. untagged: the mail server took mail for it as it stands. times: of the last good messages.
-- untold: its state is still to be told of.
CREATE TABLE discovery_candidate(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    domain INTEGER NOT NULL REFERENCES domain(id) ON DELETE CASCADE,
    normal TEXT NOT NULL CHECK (normal <> ''),
    state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 5),
    since INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    good INTEGER NOT NULL DEFAULT 0,
    bad INTEGER NOT NULL DEFAULT 0,
    untagged INTEGER NOT NULL DEFAULT 0,
    times TEXT NOT NULL DEFAULT '',
    judged_by TEXT NOT NULL DEFAULT '',
    why TEXT NOT NULL DEFAULT '',
    taken_by TEXT NOT NULL DEFAULT '',
    untold INTEGER NOT NULL DEFAULT 0,
    UNIQUE (domain, normal)
) STRICT;
CREATE INDEX discovery_candidate_by_state ON discovery_candidate(domain, state, last);
CREATE INDEX discovery_candidate_to_check ON discovery_candidate(since) WHERE state = 1;
CREATE INDEX discovery_candidate_untold ON discovery_candidate(domain) WHERE untold;
CREATE TABLE discovery_sender(
    candidate INTEGER NOT NULL REFERENCES discovery_candidate(id) ON DELETE CASCADE,
    sender TEXT NOT NULL,
    messages INTEGER NOT NULL,
    PRIMARY KEY (candidate, sender)
) STRICT, WITHOUT ROWID;

-- Listed by others than discovery, and still refused by the mail server (5.1.1).
CREATE TABLE discovery_refusal(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    domain INTEGER NOT NULL REFERENCES domain(id) ON DELETE CASCADE,
    normal TEXT NOT NULL,
    times INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    untold INTEGER NOT NULL DEFAULT 1,
    UNIQUE (domain, normal)
) STRICT;
CREATE INDEX discovery_refusal_untold ON discovery_refusal(domain) WHERE untold;

CREATE TABLE discovery_position(
    edge TEXT PRIMARY KEY,
    run TEXT NOT NULL,
    last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)sql";

}  // namespace postern::directory
