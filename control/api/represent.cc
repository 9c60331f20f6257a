#include "control/api/represent.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <utility>

#include "control/api/networks.h"
#include "control/api/service.h"

namespace postern::api {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

value text_or_null(const std::string& text) {
    return text.empty() ? value(nullptr) : value(text);
}

value id_or_null(std::uint64_t id) {
    return id == 0 ? value(nullptr) : value(id);
}

array represent(const std::vector<directory::assertion>& sources) {
    array out;
    for (const directory::assertion& each : sources) {
        out.push_back(object{{"source", each.source}, {"since", time_value(each.since)}});
    }
    return out;
}

/// A text that the store holds as JSON; null if it holds none.
value stored_json(const std::string& text) {
    boost::json::error_code error;
    value parsed = boost::json::parse(text, error);
    return text.empty() || error ? value(nullptr) : parsed;
}

}  // namespace

object represent(const directory::organisation& of) {
    return {{"id", of.id},
            {"name", of.name},
            {"parent", id_or_null(of.parent)},
            {"reseller", of.reseller},
            {"created", time_value(of.created)}};
}

object represent(const directory::domain& of) {
    object out;
    out["id"] = of.id;
    out["name"] = of.name;
    out["organisation"] = of.organisation;
    out["mode"] = directory::to_string(of.mode);
    out["mode_since"] = time_value(of.mode_since);
    out["mode_until"] = time_value(of.mode_until);
    out["inbound_server"] = id_or_null(of.route);
    const char delimiter = of.settings.subaddress_delimiter;
    out["subaddress_delimiter"] = delimiter == '\0' ? value("") : value(std::string(1, delimiter));
    out["grace_defers"] = of.settings.grace_defers;
    out["abuse_always"] = of.settings.abuse_always;
    out["strip_prvs"] = of.settings.strip_prvs;
    out["accept_srs"] = of.settings.accept_srs;
    out["on_hold"] = of.settings.on_hold;
    array trusted;
    for (const recipients::network& each : of.settings.trusted) {
        trusted.push_back(value(to_text(each)));
    }
    out["trusted"] = std::move(trusted);
    out["proven"] = of.proven != 0 ? "dns" : "granted";
    out["proven_at"] = time_value(of.proven);
    out["created"] = time_value(of.created);
    return out;
}

object represent_alias(const directory::domain& of) {
    return {{"id", of.id},
            {"name", of.name},
            {"domain", of.target},
            {"on_hold", of.settings.on_hold},
            {"proven", of.proven != 0 ? "dns" : "granted"},
            {"proven_at", time_value(of.proven)},
            {"created", time_value(of.created)}};
}

object represent(const directory::domain_counts& of) {
    return {{"addresses", of.valid}, {"mailboxes", of.mailboxes}, {"aliases", of.aliases}, {"blocked", of.blocked}};
}

object represent(const directory::alias& of) {
    object out;
    out["id"] = of.id;
    out["address"] = of.address;
    out["normal"] = of.normal;
    out["mailbox"] = of.mailbox;
    out["domain"] = of.domain;
    out["hold"] = directory::to_string(of.hold);
    out["valid"] = of.valid;
    out["sources"] = represent(of.sources);
    out["created"] = time_value(of.created);
    return out;
}

object represent(const directory::mailbox& of) {
    object out;
    out["id"] = of.id;
    out["address"] = of.address;
    out["normal"] = of.normal;
    out["domain"] = of.domain;
    out["first_name"] = of.first_name;
    out["last_name"] = of.last_name;
    out["group"] = text_or_null(of.group);
    out["kind"] = directory::to_string(of.kind);
    out["internal_only"] = of.internal_only;
    out["hold"] = directory::to_string(of.hold);
    out["valid"] = of.valid;
    out["sources"] = represent(of.sources);
    out["auto_added"] = std::any_of(of.sources.begin(), of.sources.end(), [](const directory::assertion& each) {
        return each.source.starts_with("discovery:");
    });
    array aliases;
    for (const directory::alias& each : of.aliases) {
        aliases.push_back(value(each.address));
    }
    out["aliases"] = std::move(aliases);
    out["created"] = time_value(of.created);
    out["updated"] = time_value(of.updated);
    return out;
}

object represent(const directory::group& of) {
    return {{"id", of.id},
            {"name", of.name},
            {"organisation", of.organisation},
            {"domain", id_or_null(of.domain)},
            {"mailboxes", of.mailboxes},
            {"created", time_value(of.created)}};
}

object represent(const directory::route& of) {
    object out;
    out["id"] = of.id;
    out["name"] = of.name;
    out["organisation"] = of.organisation;
    array hosts;
    for (const recipients::mail_host& each : of.hosts) {
        hosts.push_back(object{{"host", each.host}, {"port", each.port}, {"priority", each.priority}});
    }
    out["hosts"] = std::move(hosts);
    out["max_connections"] = of.max_connections;
    out["catch_all"] = of.catch_all;
    out["confirmed"] = of.confirmed != 0;
    out["confirmed_by"] = text_or_null(of.confirmed_by);
    out["confirmed_at"] = time_value(of.confirmed);
    out["probed_at"] = time_value(of.probed);
    out["probe"] = stored_json(of.probe);
    out["created"] = time_value(of.created);
    return out;
}

object represent(const directory::token& of) {
    // The store's words for the roles are its own; the API has one set.
    const role as = of.role == directory::role::admin    ? role::admin
                    : of.role == directory::role::editor ? role::operator_
                                                         : role::reader;
    array domains;
    for (const std::uint32_t each : of.scope.domains) {
        domains.push_back(value(each));
    }
    return {{"id", of.id},
            {"name", of.name},
            {"role", to_string(as)},
            {"organisation", id_or_null(of.scope.organisation)},
            {"domains", std::move(domains)},
            {"group", id_or_null(of.scope.group)},
            {"created", time_value(of.created)},
            {"created_by", of.created_by},
            {"revoked", time_value(of.revoked)}};
}

object represent(const directory::generation& of) {
    return {{"number", of.number},
            {"base", of.base},
            {"overlay", text_or_null(of.overlay)},
            {"change", of.seq},
            {"addresses", of.addresses},
            {"added", of.added},
            {"removed", of.removed},
            {"made", time_value(of.made)},
            {"published", time_value(of.published)}};
}

object represent(const directory::history_entry& of) {
    return {{"id", of.id},
            {"at", time_value(of.at)},
            {"who", of.who},
            {"why", text_or_null(of.why)},
            {"what", of.what},
            {"subject", of.subject},
            {"domain", id_or_null(of.domain)},
            {"before", stored_json(of.before)},
            {"after", stored_json(of.after)}};
}

object represent(const publish::edge_status& of) {
    return {{"name", of.name},
            {"socket", of.socket},
            {"state", publish::to_string(of.state)},
            {"generation", of.generation},
            {"change", of.seq},
            {"since", time_value(of.since)},
            {"error", text_or_null(of.error)}};
}

object represent(const publish::publisher_status& of) {
    return {{"number", of.generation},    {"base", text_or_null(of.base)},   {"overlay", text_or_null(of.overlay)},
            {"addresses", of.addresses},  {"overlay_size", of.overlay_size}, {"change", of.seq},
            {"last_change", of.last_seq}, {"building", of.building},         {"error", text_or_null(of.error)}};
}

object represent(const probe::finding& of) {
    array hosts;
    for (const probe::host_finding& each : of.hosts) {
        array steps;
        for (const probe::step& step : each.steps) {
            steps.push_back(
                object{{"step", step.name}, {"outcome", probe::to_string(step.outcome)}, {"detail", step.detail}});
        }
        array extensions;
        for (const std::string& extension : each.extensions) {
            extensions.push_back(value(extension));
        }
        object host;
        host["host"] = each.host.host;
        host["port"] = each.host.port;
        host["usable"] = each.usable;
        host["loops"] = each.loops;
        host["catch_all"] = each.catch_all ? value(*each.catch_all) : value(nullptr);
        host["postmaster"] = each.postmaster ? value(*each.postmaster) : value(nullptr);
        host["abuse"] = each.abuse ? value(*each.abuse) : value(nullptr);
        host["extensions"] = std::move(extensions);
        host["steps"] = std::move(steps);
        hosts.push_back(std::move(host));
    }
    object out;
    out["usable"] = of.usable;
    out["loops"] = of.loops;
    out["catch_all"] = of.catch_all;
    out["recipient"] = of.recipient;
    out["hosts"] = std::move(hosts);
    return out;
}

}  // namespace postern::api
