#include "control/discovery/probing.h"

#include "control/directory/connection.h"
#include "control/sources/text.h"

namespace postern::discovery {

namespace {

using directory::statement;
using recipients::mode;

std::string words_of(const probe::recipient_finding& found) {
    if (found.loops) {
        return "its inbound server is one of our own edges";
    }
    if (found.accepted) {
        return "a random address was accepted";
    }
    if (found.refused) {
        return "a random address was refused";
    }
    return "no finding: " + sources::one_line(found.trouble.empty() ? "nobody answered" : found.trouble);
}

std::uint64_t added_since(const directory::reader& in, const domain_state& of, timestamp since) {
    statement row = in.on().query(
        "SELECT count(*) FROM assertion n JOIN source s ON s.id = n.source WHERE s.name = ? AND n.since >= ?",
        source_name(of.domain), since);
    return row.step() ? row.as<std::uint64_t>(0) : 0;
}

}  // namespace

result<std::vector<std::uint32_t>> due_probes(const directory::reader& in, timestamp now, std::size_t limit) {
    statement rows = in.on().query(
        "SELECT d.id FROM domain d JOIN route r ON r.id = d.route AND r.confirmed <> 0 LEFT JOIN discovery x ON"
        " x.domain = d.id WHERE d.target IS NULL AND (x.domain IS NULL OR x.probe_due <= ?1 OR x.in_mode <>"
        " d.mode_since OR x.server <> (SELECT group_concat(host || ':' || port, ' ') FROM (SELECT host, port FROM"
        " route_host WHERE route = r.id ORDER BY position))) ORDER BY d.mode <> 1, coalesce(x.probed, 0) LIMIT ?2",
        now, limit);
    std::vector<std::uint32_t> out;
    while (rows.step()) {
        out.push_back(rows.as<std::uint32_t>(0));
    }
    return directory::or_failure(in, std::move(out));
}

result<std::optional<probe_effect>> keep_probe(directory::writer& in, const domain_state& asked,
                                               const probe::recipient_finding& found) {
    auto before = find_state(in, asked.domain.id);
    if (!before) {
        if (before.error().kind == directory::error_kind::not_found) {
            return std::nullopt;
        }
        return tl::unexpected(before.error());
    }
    if (!before->server || !asked.server || hosts_text(before->server->hosts) != hosts_text(asked.server->hosts) ||
        before->domain.mode_since != asked.domain.mode_since) {
        return std::nullopt;
    }
    probe_effect out;
    out.before = *std::move(before);
    const std::uint32_t domain = asked.domain.id;
    std::optional<bool> takes_any;
    if (!found.loops && (found.accepted || found.refused)) {
        takes_any = found.accepted;
    }
    const bool waits = asked.domain.mode == mode::discover && !takes_any && out.before.now == standing::waiting;
    need_row(in, domain);
    in.on().run(
        "UPDATE discovery SET probed = ?1, probe_due = ?2, in_mode = ?3, probe_said = ?4, takes_any = CASE WHEN ?5 IS"
        " NOT NULL THEN ?5 WHEN server = ?6 THEN takes_any END, found = iif(?5 IS NULL, found, ?1), server = ?6,"
        " review = ?5 IS 0 WHERE domain = ?7",
        in.now(), in.now() + (waits ? probed_again : probed_every), asked.domain.mode_since, words_of(found),
        takes_any ? std::optional<int>(*takes_any ? 1 : 0) : std::nullopt, hosts_text(asked.server->hosts), domain);
    auto after = find_state(in, domain);
    if (!after) {
        return tl::unexpected(after.error());
    }
    // Asked before `discover` the server may have shown it already: then nobody was told yet.
    const bool known = out.before.suspended != 0 && out.before.suspended >= out.before.domain.mode_since;
    out.suspends = after->now == standing::suspended && !known;
    out.resumes = after->now == standing::running && known;
    if (out.suspends) {
        // What a server that takes everything has accepted since it was last seen to refuse is evidence of nothing.
        out.doubtful = out.before.probe.takes_any == false ? added_since(in, *after, out.before.probe.found) : 0;
        in.on().run("DELETE FROM discovery_candidate WHERE domain = ? AND state IN (0, 1, 5)", domain);
        in.on().run("UPDATE discovery SET suspended = ? WHERE domain = ?", in.now(), domain);
        after->suspended = in.now();
    } else if (after->now != standing::suspended && after->suspended != 0) {
        in.on().run("UPDATE discovery SET suspended = 0 WHERE domain = ?", domain);
        after->suspended = 0;
    }
    out.after = *std::move(after);
    return directory::or_failure(in, std::optional(std::move(out)));
}

result<std::vector<base_question>> bases_to_ask(const directory::reader& in, std::size_t limit) {
    std::vector<base_question> out;
    {
        statement rows = in.on().query(
            "SELECT c.domain, c.normal, c.normal || '@' || d.name FROM discovery_candidate c JOIN domain d ON d.id ="
            " c.domain WHERE c.state = 1 ORDER BY c.since LIMIT ?",
            limit);
        while (rows.step()) {
            out.push_back({rows.as<std::uint32_t>(0), std::string(rows.text(1)), std::string(rows.text(2)), {}});
        }
    }
    for (base_question& each : out) {
        const auto state = find_state(in, each.domain);
        if (!state) {
            return tl::unexpected(state.error());
        }
        if (state->now == standing::running) {
            each.hosts = state->server->hosts;
        }
    }
    std::erase_if(out, [](const base_question& each) { return each.hosts.empty(); });
    return directory::or_failure(in, std::move(out));
}

result<std::optional<happening>> keep_base(directory::writer& in, const base_question& asked,
                                           const probe::recipient_finding& found) {
    const auto state = find_state(in, asked.domain);
    auto one = find_candidate(in, asked.domain, asked.local);
    if (!state || !one) {
        return tl::unexpected(state ? one.error() : state.error());
    }
    if (!*one || state->now != standing::running) {
        return std::nullopt;
    }
    if (found.loops || found.accepted == found.refused) {
        // No finding, or two servers that differ: behind the others, to be asked again.
        if ((*one)->state == candidate_state::checking) {
            (*one)->since = in.now();
            keep_candidate(in, **one);
        }
        return directory::or_failure(in, std::optional<happening>());
    }
    return decide_base(in, *state, **one, found.accepted);
}

}  // namespace postern::discovery
