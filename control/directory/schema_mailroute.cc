#include "control/directory/schema_parts.h"

namespace postern::directory {

const char* const mailroute_schema = R"sql(
CREATE TABLE mailroute_domain(
    domain INTEGER PRIMARY KEY REFERENCES domain(id) ON DELETE CASCADE,
    deliveryport INTEGER NOT NULL CHECK (deliveryport BETWEEN 1 AND 65535),
    outbound_enabled INTEGER NOT NULL,
    inactive INTEGER NOT NULL,
    held INTEGER NOT NULL,
    enforce_when_listed INTEGER NOT NULL
) STRICT;
-- What was said of a hold or of a mode ends with it.
CREATE TRIGGER mailroute_hold_lifted AFTER UPDATE OF on_hold ON domain WHEN old.on_hold AND NOT new.on_hold BEGIN
    UPDATE mailroute_domain SET inactive = 0, held = 0 WHERE domain = new.id;
END;
CREATE TRIGGER mailroute_mode_set AFTER UPDATE OF mode, mode_since ON domain WHEN old.mode <> new.mode BEGIN
    UPDATE mailroute_domain SET enforce_when_listed = 0 WHERE domain = new.id;
END;

CREATE TABLE mailroute_account(
    address INTEGER PRIMARY KEY REFERENCES address(id) ON DELETE CASCADE,
    priority INTEGER NOT NULL DEFAULT 7,
    use_domain_notifications INTEGER NOT NULL DEFAULT 1
) STRICT;

-- A row for each host of each domain's inbound server. sasl_password is sealed by who puts it.
CREATE TABLE mail_server(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    domain INTEGER NOT NULL REFERENCES domain(id) ON DELETE CASCADE,
    host TEXT NOT NULL CHECK (host <> ''),
    port INTEGER NOT NULL,
    use_sasl INTEGER NOT NULL DEFAULT 0,
    sasl_login TEXT NOT NULL DEFAULT '',
    sasl_password BLOB,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    UNIQUE (domain, host, port)
) STRICT;
INSERT INTO mail_server(domain, host, port, created, updated)
    SELECT d.id, h.host, h.port, r.created, r.created FROM domain d JOIN route r ON r.id = d.route
    JOIN route_host h ON h.route = r.id ORDER BY d.id, h.position ON CONFLICT DO NOTHING;
CREATE TRIGGER mail_server_host AFTER INSERT ON route_host BEGIN
    INSERT INTO mail_server(domain, host, port, created, updated)
        SELECT id, new.host, new.port, unixepoch() * 1000, unixepoch() * 1000 FROM domain WHERE route = new.route
        ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER mail_server_domain AFTER INSERT ON domain WHEN new.route IS NOT NULL BEGIN
    INSERT INTO mail_server(domain, host, port, created, updated)
        SELECT new.id, host, port, unixepoch() * 1000, unixepoch() * 1000 FROM route_host WHERE route = new.route
        ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER mail_server_route AFTER UPDATE OF route ON domain WHEN old.route IS NOT new.route BEGIN
    DELETE FROM mail_server WHERE domain = new.id
        AND NOT EXISTS (SELECT 1 FROM route_host h WHERE (h.route, h.host, h.port) = (new.route, host, port));
    INSERT INTO mail_server(domain, host, port, created, updated)
        SELECT new.id, host, port, unixepoch() * 1000, unixepoch() * 1000 FROM route_host WHERE route = new.route
        ON CONFLICT DO NOTHING;
END;
)sql";

}  // namespace postern::directory
