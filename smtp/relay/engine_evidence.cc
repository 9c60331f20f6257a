// What a transaction says of its recipients, for the lists: whom the server does not know, and the copy of a message
// that may be evidence for somebody who is not listed (smtp/judge).
#include <algorithm>
#include <utility>

#include "smtp/relay/engine_state.h"

namespace postern::relay {

namespace {

/// A server that refused an unknown recipient of a domain at RCPT is trusted to do so for so long.
constexpr shard::instant refusal_counts_for = std::chrono::hours(24);

}  // namespace

void engine::state::note_accepted(transaction& t, const pending_recipient& one) {
    if (settings.judge == nullptr) {
        return;
    }
    if (one.word.discovers) {
        t.unknown.push_back({.path = one.path, .domain = one.word.domain});
    }
    if (!one.word.listed) {
        return;
    }
    // It knows this one, so what it said of others was about them.
    for (judge::finding& each : std::exchange(t.at->unknown_listed, {})) {
        if (each.recipient != one.path) {
            settings.judge->tell(std::move(each));
        }
    }
}

void engine::state::note_refused(transaction& t, const pending_recipient& one, const server_reply& said) {
    if (settings.judge == nullptr) {
        return;
    }
    t.refused += said.permanent() && !refuses_us(said) ? 1 : 0;
    std::vector<judge::finding>& held = t.at->unknown_listed;
    if (t.at->row.distrusted()) {
        held.clear();
        return;
    }
    if (!says_unknown(said)) {
        return;
    }
    if (!one.word.listed) {
        t.at->refused_unknown[one.word.domain] = now;
        return;
    }
    const auto is_it = [&](const judge::finding& each) { return each.recipient == one.path; };
    if (one.word.in_table && std::none_of(held.begin(), held.end(), is_it)) {
        held.push_back({.what = judge::finding::kind::listed_refused,
                        .domain = one.word.domain,
                        .peer = t.client.address,
                        .recipient = one.path,
                        .judged_by = {},
                        .why = for_people(said)});
    }
}

void engine::state::begin_copy(transaction& t) {
    if (t.unknown.empty()) {
        return;
    }
    std::optional<judge::absence> absent;
    std::erase_if(t.unknown, [&](const judge::addressee& one) {
        const auto refused = t.at->refused_unknown.find(one.domain);
        const bool refuses_unknown =
            !t.route->catch_all && refused != t.at->refused_unknown.end() && now - refused->second < refusal_counts_for;
        const auto why = judge::why_no_evidence({.sender = t.reverse_path,
                                                 .recipient = one.path,
                                                 .accepted = t.accepted,
                                                 .refused = t.refused,
                                                 .refuses_unknown = refuses_unknown});
        absent = why ? why : absent;
        return why.has_value();
    });
    if (!t.unknown.empty()) {
        t.copy = settings.judge->begin();
    } else {
        settings.judge->no_evidence(*absent);
    }
}

/// The message was delivered.
void engine::state::give_copy(transaction& t) {
    if (t.copy) {
        for_judge.push_back({.sender = std::move(t.reverse_path),
                             .recipients = std::move(t.unknown),
                             .helo = std::move(t.helo),
                             .peer = t.client.address,
                             .id = std::move(t.message_id),
                             .content = std::move(*t.copy)});
        t.copy.reset();
    }
}

void engine::tell_judge() {
    for (judge::message& each : std::exchange(_state->for_judge, {})) {
        _state->settings.judge->ask(std::move(each));
    }
}

}  // namespace postern::relay
