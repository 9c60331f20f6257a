#include "control/directory/schema_parts.h"

namespace postern::directory {

// Who may do what (scope.h), and whose a domain is (claims.h).
const char* const tenants_schema = R"sql(
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

}  // namespace postern::directory
