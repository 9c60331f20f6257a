#include "control/recent/readiness.h"

#include <tuple>
#include <utility>

#include "control/directory/connection.h"

namespace postern::recent {

namespace {

constexpr timestamp hour = 3'600'000;
constexpr timestamp day = 24 * hour;
constexpr timestamp old_list = 90 * day;

std::string count_of(std::uint64_t number, const char* one, const char* many) {
    return std::to_string(number) + " " + (number == 1 ? one : many);
}

void read_list(const directory::reader& in, const directory::domain& domain, readiness& out) {
    {
        directory::statement last = in.on().query(
            "SELECT a.at FROM history h JOIN act a ON a.id = h.act"
            " WHERE h.domain = ? AND substr(h.subject, 1, 8) = 'address:' ORDER BY h.id DESC LIMIT 1",
            domain.id);
        out.list_changed = last.step() ? last.integer(0) : 0;
    }
    directory::statement rows = in.on().query(
        "SELECT s.name, count(*), max(t.since) FROM assertion t JOIN address x ON x.id = t.address"
        " JOIN source s ON s.id = t.source WHERE x.domain = ? GROUP BY s.id ORDER BY s.name",
        domain.id);
    while (rows.step()) {
        out.sources.push_back({std::string(rows.text(0)), rows.as<std::uint64_t>(1), rows.integer(2)});
    }
}

void judge_list(const directory::domain& domain, timestamp now, readiness& out) {
    if (out.list.valid == 0) {
        out.reasons.push_back({"empty_list", domain.name + " has no valid address: every recipient would be refused"});
    } else if (out.list_changed != 0 && now - out.list_changed > old_list) {
        out.warnings.push_back({"old_list", "the list was last changed " +
                                                std::to_string((now - out.list_changed) / day) +
                                                " days ago: is anybody keeping it?"});
    }
}

void judge_recent(const directory::domain& domain, timestamp now, readiness& out) {
    const what_if_result& seen = out.recent;
    if (seen.recipients == 0) {
        out.warnings.push_back(
            {"nothing_seen", "no recipient of " + domain.name +
                                 " was seen lately, so nothing can be said of what would be refused: let mail come "
                                 "through in observe for a while"});
        return;
    }
    if (seen.missed != 0) {
        out.reasons.push_back({"would_refuse", count_of(seen.missed, "address", "addresses") +
                                                   " that the mail server accepted lately would be refused: add "
                                                   "them, or block what is not wanted"});
    }
    if (seen.refused > seen.missed) {
        out.warnings.push_back(
            {"strangers", count_of(seen.refused - seen.missed, "further address", "further addresses") +
                              " would be refused that no mail server has accepted: strangers, if the list is right"});
    }
    if (now - out.seen_first < day) {
        out.warnings.push_back({"short_look",
                                "recipients have been watched for less than a day: those who write "
                                "rarely were not seen yet"});
    }
}

void judge_server(readiness& out) {
    if (!out.server) {
        out.reasons.push_back({"no_inbound_server", "the domain has no inbound server: set one and confirm it"});
        return;
    }
    if (out.server->confirmed == 0) {
        out.reasons.push_back({"inbound_server_not_confirmed", "the inbound server \"" + out.server->name +
                                                                   "\" is not confirmed: probe and confirm it"});
    }
    if (out.answers.catch_all.value_or(out.server->catch_all)) {
        out.warnings.push_back({"catch_all",
                                "the mail server accepts any address, so its answers tell nothing of what is missing "
                                "in the list (Exchange: "
                                "turn recipient filtering on; Exchange Online: make the domain authoritative)"});
    }
    const auto refused = [&](const std::optional<bool>& answer, const char* code, const char* who) {
        if (answer == false) {
            out.warnings.push_back({code, std::string("the mail server refuses ") + who +
                                              ", which must work and which Postern always passes on"});
        }
    };
    refused(out.answers.postmaster, "postmaster_refused", "postmaster");
    refused(out.answers.abuse, "abuse_refused", "abuse");
}

}  // namespace

result<readiness> assess(const directory::reader& in, const recent_store& seen, const directory::domain& domain,
                         timestamp now, readiness_question question) {
    readiness out;
    out.answers = question.probed;
    out.reasons = std::move(question.reasons);
    out.warnings = std::move(question.warnings);
    const auto counts = directory::count_addresses(in, domain.id);
    if (!counts) {
        return tl::unexpected(counts.error());
    }
    out.list = *counts;
    if (domain.route != 0) {
        auto route = directory::find_route(in, domain.route);
        if (!route) {
            return tl::unexpected(route.error());
        }
        out.server = std::move(*route);
    }
    read_list(in, domain, out);
    const auto span = seen.span_of(domain.id);
    if (!span) {
        return tl::unexpected(span.error());
    }
    std::tie(out.seen_first, out.seen_last) = *span;
    auto recent = what_if(seen, domain.settings, question.since, present_list(in, domain.id), question.addresses);
    if (!recent) {
        return tl::unexpected(recent.error());
    }
    out.recent = std::move(*recent);
    if (in.on().failed()) {
        return tl::unexpected(in.on().failure());
    }
    judge_list(domain, now, out);
    judge_server(out);
    judge_recent(domain, now, out);
    out.ready = out.reasons.empty();
    return out;
}

}  // namespace postern::recent
