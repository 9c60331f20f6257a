#include "control/discovery/candidates.h"

#include "control/directory/connection.h"
#include "control/directory/paging.h"

namespace postern::discovery {

namespace {

using directory::connection;
using directory::statement;

constexpr std::array<std::string_view, candidate_states> words = {"waiting", "checking",     "added",
                                                                  "left",    "base_refused", "refused"};

constexpr std::string_view columns =
    "SELECT c.id, c.domain, c.normal, c.normal || '@' || d.name, c.state, c.since, c.first, c.last, c.good, c.bad,"
    " (SELECT count(*) FROM discovery_sender s WHERE s.candidate = c.id), c.untagged, c.times, c.judged_by, c.why,"
    " c.taken_by FROM discovery_candidate c JOIN domain d ON d.id = c.domain";

/// `added` only as long as discovery asserts it: an authority's first assertion ends that, and so does a person.
constexpr std::string_view still =
    " (c.state <> 2 OR EXISTS (SELECT 1 FROM address a JOIN assertion n ON n.address = a.id JOIN source s ON s.id ="
    " n.source WHERE a.domain = c.domain AND a.normal = c.normal AND s.name = 'discovery:' || d.name))";

/// The refusal `r` of an address that is still in force.
constexpr std::string_view in_force =
    " EXISTS (SELECT 1 FROM address a WHERE a.domain = r.domain AND a.normal = r.normal AND a.valid)";

candidate read(const statement& row) {
    candidate out;
    out.id = row.as<std::uint64_t>(0);
    out.domain = row.as<std::uint32_t>(1);
    out.local = row.text(2);
    out.address = row.text(3);
    out.state = static_cast<candidate_state>(row.as<int>(4));
    out.since = row.integer(5);
    out.first = row.integer(6);
    out.last = row.integer(7);
    out.good = row.as<std::uint64_t>(8);
    out.bad = row.as<std::uint64_t>(9);
    out.senders = row.as<std::uint32_t>(10);
    out.untagged = row.integer(11) != 0;
    out.times = message_times(row.text(12));
    out.judged_by = row.text(13);
    out.why = row.text(14);
    out.taken_by = row.text(15);
    return out;
}

}  // namespace

std::string_view to_string(candidate_state of) noexcept {
    return words.at(static_cast<std::size_t>(of));
}

std::optional<candidate_state> parse_candidate_state(std::string_view word) noexcept {
    for (std::size_t at = 0; at < words.size(); ++at) {
        if (words.at(at) == word) {
            return static_cast<candidate_state>(at);
        }
    }
    return std::nullopt;
}

result<std::optional<candidate>> find_candidate(const directory::reader& in, std::uint32_t domain,
                                                std::string_view local) {
    statement row = in.on().query(std::string(columns) + " WHERE c.domain = ? AND c.normal = ?", domain, local);
    std::optional<candidate> out;
    if (row.step()) {
        out = read(row);
    }
    return directory::or_failure(in, std::move(out));
}

result<candidate> need_candidate(directory::writer& in, const directory::domain& domain, const std::string& local,
                                 timestamp at) {
    auto found = find_candidate(in, domain.id, local);
    if (!found) {
        return tl::unexpected(found.error());
    }
    if (*found) {
        return **std::move(found);
    }
    in.on().run("INSERT INTO discovery_candidate(domain, normal, state, since, first, last) VALUES (?, ?, 0, ?, ?, ?)",
                domain.id, local, in.now(), at, at);
    candidate out;
    out.id = static_cast<std::uint64_t>(in.on().last_id());
    out.domain = domain.id;
    out.local = local;
    out.address = local + "@" + domain.name;
    out.since = in.now();
    out.first = at;
    out.last = at;
    return directory::or_failure(in, std::move(out));
}

void keep_candidate(directory::writer& in, const candidate& one) {
    in.on().run(
        "UPDATE discovery_candidate SET state = ?, since = ?, first = ?, last = ?, good = ?, bad = ?, untagged = ?,"
        " times = ?, judged_by = ?, why = ?, taken_by = ? WHERE id = ?",
        static_cast<int>(one.state), one.since, one.first, one.last, one.good, one.bad, one.untagged, one.times.text(),
        one.judged_by, one.why, one.taken_by, one.id);
}

void move_candidate(directory::writer& in, candidate& one, candidate_state to) {
    one.state = to;
    one.since = in.now();
    keep_candidate(in, one);
    if (to != candidate_state::waiting && to != candidate_state::checking) {
        in.on().run("UPDATE discovery_candidate SET untold = 1 WHERE id = ?", one.id);
    }
}

void count_sender(directory::writer& in, candidate& of, const std::string& sender) {
    if (sender.empty()) {
        return;
    }
    in.on().run("UPDATE discovery_sender SET messages = messages + 1 WHERE candidate = ? AND sender = ?", of.id,
                sender);
    if (in.on().changed() == 0 && of.senders < most_senders) {
        in.on().run("INSERT INTO discovery_sender(candidate, sender, messages) VALUES (?, ?, 1)", of.id, sender);
        ++of.senders;
    }
}

void drop_candidate(directory::writer& in, std::uint64_t id) {
    in.on().run("DELETE FROM discovery_candidate WHERE id = ?", id);
}

void void_evidence(directory::writer& in, candidate& one) {
    one.times = {};
    one.untagged = false;
    one.senders = 0;
    in.on().run("DELETE FROM discovery_sender WHERE candidate = ?", one.id);
}

std::uint64_t make_room(directory::writer& in, std::uint32_t domain) {
    connection& on = in.on();
    std::uint64_t over = 0;
    {
        statement counted = on.query("SELECT count(*) FROM discovery_candidate WHERE domain = ?", domain);
        const std::uint64_t has = counted.step() ? counted.as<std::uint64_t>(0) : 0;
        over = has > most_candidates ? has - most_candidates : 0;
    }
    if (over == 0) {
        return 0;
    }
    on.run(
        "DELETE FROM discovery_candidate WHERE id IN (SELECT id FROM discovery_candidate WHERE domain = ? AND state <>"
        " 2 ORDER BY good <> 0, last LIMIT ?)",
        domain, over);
    return static_cast<std::uint64_t>(on.changed());
}

result<void> forget_old(directory::writer& in) {
    constexpr std::int64_t day = 86'400'000;
    // Evidence: the domain's days. What is for a person stays longer.
    in.on().run(
        "DELETE FROM discovery_candidate WHERE state IN (0, 1, 5) AND last < ?1 - ?2 *"
        " coalesce((SELECT days FROM discovery x WHERE x.domain = discovery_candidate.domain), 14)",
        in.now(), day);
    in.on().run("DELETE FROM discovery_candidate WHERE state IN (3, 4) AND last < ?", in.now() - 90 * day);
    in.on().run(
        "DELETE FROM discovery_candidate WHERE id IN (SELECT c.id FROM discovery_candidate c JOIN domain d ON"
        " d.id = c.domain WHERE c.state = 2 AND NOT" +
        std::string(still) + ")");
    in.on().run("DELETE FROM discovery_refusal WHERE id IN (SELECT r.id FROM discovery_refusal r WHERE NOT" +
                    std::string(in_force) + " OR r.last < ?)",
                in.now() - 90 * day);
    return directory::or_failure(in);
}

result<directory::page<candidate>> list_candidates(const directory::reader& in, const candidate_filter& filter,
                                                   const directory::page_request& at) {
    const auto cursor = directory::read_cursor(at);
    if (!cursor) {
        return tl::unexpected(cursor.error());
    }
    statement rows =
        in.on().query(std::string(columns) + " WHERE c.domain = ? AND (? < 0 OR c.state = ?) AND c.id > ? AND" +
                          std::string(still) + " ORDER BY c.id LIMIT ?",
                      filter.domain, filter.state ? 0 : -1, filter.state ? static_cast<int>(*filter.state) : 0,
                      cursor->after, cursor->limit + 1);
    directory::page<candidate> out;
    while (rows.step()) {
        if (out.items.size() == cursor->limit) {
            out.next = std::to_string(out.items.back().id);
            break;
        }
        out.items.push_back(read(rows));
    }
    return directory::or_failure(in, std::move(out));
}

result<std::array<std::uint64_t, candidate_states>> count_candidates(const directory::reader& in,
                                                                     std::uint32_t domain) {
    statement rows = in.on().query(
        "SELECT c.state, count(*) FROM discovery_candidate c JOIN domain d ON d.id = c.domain WHERE c.domain = ? AND" +
            std::string(still) + " GROUP BY c.state",
        domain);
    std::array<std::uint64_t, candidate_states> out{};
    while (rows.step()) {
        out.at(rows.as<std::size_t>(0)) = rows.as<std::uint64_t>(1);
    }
    return directory::or_failure(in, out);
}

result<directory::page<refusal>> list_refusals(const directory::reader& in, std::uint32_t domain,
                                               const directory::page_request& at) {
    const auto cursor = directory::read_cursor(at);
    if (!cursor) {
        return tl::unexpected(cursor.error());
    }
    statement rows = in.on().query(
        "SELECT r.normal || '@' || d.name, r.times, r.first, r.last, r.id FROM discovery_refusal r JOIN domain d ON"
        " d.id = r.domain WHERE r.domain = ? AND r.id > ? AND" +
            std::string(in_force) + " ORDER BY r.id LIMIT ?",
        domain, cursor->after, cursor->limit + 1);
    directory::page<refusal> out;
    std::int64_t last = 0;
    while (rows.step()) {
        if (out.items.size() == cursor->limit) {
            out.next = std::to_string(last);
            break;
        }
        out.items.push_back({std::string(rows.text(0)), rows.as<std::uint64_t>(1), rows.integer(2), rows.integer(3)});
        last = rows.integer(4);
    }
    return directory::or_failure(in, std::move(out));
}

result<std::uint64_t> count_refusals(const directory::reader& in, std::uint32_t domain) {
    statement row = in.on().query(
        "SELECT count(*) FROM discovery_refusal r WHERE r.domain = ? AND" + std::string(in_force), domain);
    const std::uint64_t count = row.step() ? row.as<std::uint64_t>(0) : 0;
    return directory::or_failure(in, count);
}

}  // namespace postern::discovery
