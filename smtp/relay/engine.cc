#include "smtp/relay/engine.h"

#include <algorithm>
#include <cstring>

#include "smtp/relay/engine_state.h"

namespace postern::relay {

namespace {

constexpr std::size_t commands_at_once = 256;

}  // namespace

engine::state::state(const relay::settings& own, counters& all, network& world, std::vector<lane*> from_shards)
    : settings(own),
      counts(all),
      net(world),
      lanes(std::move(from_shards)),
      our_names(own.fleet_names),
      told(lanes.size(), false),
      refused_unlisted(own.limits.refusals_remembered, own.limits.refusal_memory) {
    our_names.push_back(own.own_name);
    for (const lane* one : lanes) {
        transactions.emplace_back(one->memory.cell_count);
    }
}

route_state& engine::state::route_of(std::uint32_t id) {
    std::unique_ptr<route_state>& place = routes[id];
    if (place == nullptr) {
        place = std::make_unique<route_state>(id, settings.limits);
    }
    return *place;
}

void engine::state::tell(transaction& t, news what, std::uint32_t at) {
    // lane.h bounds each kind of news per cell, so there is room.
    if (!t.from->events.push({.news = what, .cell = t.cell, .at = at})) {
        std::abort();
    }
    told[t.shard] = true;
}

void engine::state::alarm(route_state& route, alarm_kind kind, const std::string& text) {
    counts.alarms.add();
    shard::instant& silent_until = route.silent_until[static_cast<std::size_t>(kind)];
    if (now >= silent_until) {
        silent_until = now + settings.limits.alarm_again_after;
        if (settings.alarm) {
            settings.alarm(route.id, text);
        }
    }
}

void engine::state::set_deadline(transaction& t, shard::instant when) {
    if (t.deadline != shard::never) {
        transaction_deadlines.erase({t.deadline, &t});
    }
    t.deadline = when;
    if (when != shard::never) {
        transaction_deadlines.emplace(when, &t);
    }
}

// Commands

void engine::state::take(std::size_t shard, const to_relay& message) {
    if (message.command == command::begin) {
        begin(shard, message.cell);
        return;
    }
    transaction* const t = find(shard, message.cell);
    if (t == nullptr) {
        std::abort();  // a cell is spoken of between its `begin` and its `close` only
    }
    const bool over = t->stage == transaction::stage::over;
    switch (message.command) {
        case command::begin:
            break;
        case command::recipient:
            if (over) {
                counts.stale_messages.add();
            } else {
                take_recipient(*t, message);
            }
            break;
        case command::data:
            if (over) {
                counts.stale_messages.add();
            } else {
                t->data_wanted = true;
                mark(*t);
            }
            break;
        case command::chunk:
            if (over) {
                counts.stale_messages.add();
                tell(*t, news::credit, message.at);
            } else {
                t->chunks.emplace_back(message.at, message.size);
                pump_content(*t);
            }
            break;
        case command::end:
            if (over) {
                counts.stale_messages.add();
            } else {
                t->ended = true;
                pump_content(*t);
            }
            break;
        case command::close:
            take_close(*t, message.flag);
            break;
    }
}

void engine::state::begin(std::size_t shard, std::uint32_t number) {
    lane& from = *lanes[shard];
    const cell& common = from.memory.cells[number];
    const char* text = from.memory.texts[number].from_shard.data();
    auto fresh = std::make_unique<transaction>();
    transaction& t = *fresh;
    t.from = &from;
    t.shard = shard;
    t.cell = number;
    t.route = common.route;
    t.at = &route_of(common.route->id);
    t.client = common.client;
    t.reverse_path.assign(text, common.reverse_path_size);
    text += common.reverse_path_size;
    t.helo.assign(text, common.helo_size);
    text += common.helo_size;
    t.message_id.assign(text, common.message_id_size);
    t.declared_size = common.declared_size;
    t.body = common.body;
    t.extended = common.extended;
    t.claim.source = source_of(common.client);
    transactions[shard][number] = std::move(fresh);
    ++at_work;
    if (finishing) {
        abort(t, make_reply(451, "4.3.2", "System is shutting down"));
    } else if (!t.route->confirmed || t.route->hosts.empty()) {
        abort(t, make_reply(451, "4.3.5", "No confirmed mail server for this domain"));
    }
}

void engine::state::take_recipient(transaction& t, const to_relay& message) {
    const char* const at = t.from->memory.texts[t.cell].from_shard.data() + message.at;
    recipient_text header;
    std::memcpy(&header, at, sizeof header);
    t.recipients.push_back({.path = std::string(at + sizeof header, header.size), .word = header.word});
    mark(t);
}

void engine::state::take_close(transaction& t, bool abandoned) {
    if (t.stage != transaction::stage::over) {
        if (abandoned) {
            counts.abandoned.add();
        }
        abandon(t);
    }
    if (t.marked) {
        std::erase(marked, &t);
    }
    tell(t, news::closed, 0);
    transactions[t.shard][t.cell].reset();
}

void engine::state::abandon(transaction& t) {
    link* const one = t.link;
    const auto was = t.stage;
    stop_waiting(t);
    set_deadline(t, shard::never);
    return_chunks(t);
    give_share_back(t);
    t.stage = transaction::stage::over;
    t.link = nullptr;
    --at_work;
    if (one == nullptr) {
        return;
    }
    one->user = nullptr;
    switch (was) {
        case transaction::stage::fresh:
        case transaction::stage::waiting:
        case transaction::stage::connecting:  // it will be ready for another
        case transaction::stage::over:
            break;
        case transaction::stage::open:
            release(*one);
            break;
        case transaction::stage::data:
            one->use = link::use::clearing;  // an answer of 354 closes it
            break;
        case transaction::stage::content:
            drop(*one);
            break;
        case transaction::stage::final:
            if (one->smtp.content_is_gone()) {
                counts.in_doubt.add();
                one->use = link::use::clearing;
            } else {
                drop(*one);
            }
            break;
    }
}

// Transactions

void engine::state::return_chunks(transaction& t) {
    for (const auto& [number, octets] : t.chunks) {
        tell(t, news::credit, number);
    }
    t.chunks.clear();
}

/// The last word to the shard; the link, if it is still the transaction's, is let go.
void engine::state::end(transaction& t, news how, const reply& answer) {
    if (t.stage == transaction::stage::over) {
        return;
    }
    stop_waiting(t);
    set_deadline(t, shard::never);
    return_chunks(t);
    cell_texts& texts = t.from->memory.texts[t.cell];
    (how == news::data ? texts.data_reply : texts.end_reply).put(answer);
    tell(t, how, 0);
    give_share_back(t);
    const bool in_data =
        t.stage == transaction::stage::content || (t.stage == transaction::stage::final && how == news::aborted);
    link* const one = std::exchange(t.link, nullptr);
    t.stage = transaction::stage::over;
    t.recipients.clear();
    --at_work;
    if (one != nullptr) {
        one->user = nullptr;
        if (in_data) {
            drop(*one);
        } else {
            release(*one);
        }
    }
}

reply engine::state::judged(transaction& t, const server_reply& said, answered what) {
    if (refuses_us(said)) {
        counts.softened.add();
        alarm(*t.at, alarm_kind::refuses_us, "mail server refuses to relay for us: " + for_people(said));
        return make_reply(451, "4.4.0", "Mail server does not accept mail from this system");
    }
    if (said.permanent() && t.at->row.distrusted()) {
        counts.softened.add();
        return make_reply(451, "4.4.0", "Mail server refuses listed recipients");
    }
    return pass_on(said, what);
}

void engine::state::mark(transaction& t) {
    if (!t.marked) {
        t.marked = true;
        marked.push_back(&t);
    }
}

void engine::state::settle() {
    while (!marked.empty()) {
        transaction& t = *marked.back();
        marked.pop_back();
        t.marked = false;
        pump(t);
    }
}

/// Does whatever the transaction can do now, in order.
void engine::state::pump(transaction& t) {
    while (t.stage != transaction::stage::over) {
        answer_front(t);
        const auto next = std::find_if(t.recipients.begin(), t.recipients.end(), [](const pending_recipient& one) {
            return one.stage == pending_recipient::stage::waiting;
        });
        if (next == t.recipients.end()) {
            break;
        }
        if (!decide(t, *next)) {
            return;
        }
    }
    if (t.data_wanted && t.recipients.empty() &&
        (t.stage == transaction::stage::open || t.stage == transaction::stage::fresh)) {
        ask_for_data(t);
    }
}

/// Answers `next` or sends it to the server; false: something has to happen first.
bool engine::state::decide(transaction& t, pending_recipient& next) {
    const auto answer = [&next](const reply& with) {
        next.answer = with;
        next.stage = pending_recipient::stage::answered;
        return true;
    };
    if (t.route->catch_all) {
        // The server's word at RCPT says nothing of an address, so listed and unlisted ones are kept apart.
        if (&next != &t.recipients.front()) {
            return false;
        }
        if (t.accepted > 0 && (!next.word.listed || t.has_unlisted)) {
            return answer(make_reply(452, "4.5.3", "This recipient needs a transaction of its own"));
        }
    }
    if (!next.word.listed) {
        if (const std::optional<reply> known = refused_unlisted.recall(t.at->id, next.path, now)) {
            counts.unlisted_remembered.add();
            counts.unlisted_invalid.add();
            ++t.refused;
            return answer(*known);
        }
        if (t.unlisted_refused) {
            counts.unlisted_limited.add();
            return answer(make_reply(451, "4.3.2", "Too many unknown recipients, try again later"));
        }
    }
    if (!next.word.listed && !next.admitted) {
        if (!t.at->unlisted.take(now)) {
            counts.unlisted_limited.add();
            return answer(make_reply(451, "4.3.2", "Too many unknown recipients, try again later"));
        }
        next.admitted = true;
    }
    if (!has_connection(t, next)) {
        // If the transaction is over, so is `next`; if not even waiting was possible, the next round answers.
        return t.stage == transaction::stage::fresh && t.unlisted_refused;
    }
    if (!t.mail_sent && !open_mail(t)) {
        return false;
    }
    t.link->smtp.rcpt(next.path, now);
    next.stage = pending_recipient::stage::sent;
    flush(*t.link);
    return true;
}

/// Whether RCPT can be sent; if not, a connection is on its way, or waited for, or the transaction is over.
bool engine::state::has_connection(transaction& t, const pending_recipient& next) {
    if (t.stage == transaction::stage::open) {
        return true;
    }
    if (t.stage == transaction::stage::fresh) {
        t.claim.unlisted = !next.word.listed;
        find_link(t);
    }
    return t.stage == transaction::stage::open;
}

/// MAIL, unless the route's server can't carry the message; that ends the transaction.
bool engine::state::open_mail(transaction& t) {
    const extensions& can = t.link->smtp.extensions();
    if (can.size && can.size_limit != 0 && t.declared_size > can.size_limit) {
        counts.refused.add();
        abort(t, make_reply(552, "5.3.4", "Message is larger than the mail server takes"));
        return false;
    }
    if (t.body == body_type::eight_bit_mime && !can.eight_bit_mime) {
        counts.refused.add();
        abort(t, make_reply(550, "5.6.3", "Mail server does not take 8BITMIME"));
        return false;
    }
    t.mail_sent = true;
    t.link->smtp.mail(t.reverse_path, t.declared_size, t.body, now);
    return true;
}

void engine::state::answer_front(transaction& t) {
    while (!t.recipients.empty() && t.recipients.front().stage == pending_recipient::stage::answered) {
        const std::uint32_t slot = t.next_reply_slot++ % recipients_in_flight;
        t.from->memory.texts[t.cell].recipient_replies[slot].put(t.recipients.front().answer);
        t.recipients.pop_front();
        tell(t, news::recipient, slot);
    }
}

void engine::state::recipient_answered(transaction& t, const server_reply& said) {
    const auto asked = std::find_if(t.recipients.begin(), t.recipients.end(), [](const pending_recipient& one) {
        return one.stage == pending_recipient::stage::sent;
    });
    if (asked == t.recipients.end()) {
        return;
    }
    t.server_answered = true;
    const bool about_us = refuses_us(said);
    if (said.positive()) {
        counts.recipients_accepted.add();
        ++t.accepted;
        if (t.accepted == 1) {
            t.accepted_path = asked->path;
        }
        t.has_unlisted = t.has_unlisted || !asked->word.listed;
        if (asked->word.listed) {
            t.at->row.accepted();
        }
        note_accepted(t, *asked);
    } else {
        counts.recipients_refused.add();
        if (asked->word.listed && said.permanent() && !about_us &&
            t.at->row.refused(asked->path) == refusal_row::change::tripped) {
            counts.refused_routes.add();
            alarm(*t.at, alarm_kind::distrusted,
                  "mail server refused " + std::to_string(settings.limits.refused_listed_in_a_row) +
                      " listed recipients in a row; its refusals are temporary (451) until a probe succeeds or they "
                      "are lifted. The last: " +
                      for_people(said));
        }
        note_refused(t, *asked, said);
    }
    asked->answer = judged(t, said, answered::rcpt);
    asked->stage = pending_recipient::stage::answered;
    if (!asked->word.listed && said.code == 550 && asked->answer.code == 550) {
        counts.unlisted_invalid.add();
        refused_unlisted.remember(t.at->id, asked->path, asked->answer, now);
    }
    mark(t);
}

void engine::state::ask_for_data(transaction& t) {
    t.data_wanted = false;
    if (t.accepted == 0 || t.link == nullptr) {
        end(t, news::data, make_reply(554, "5.5.1", "No valid recipients"));
        return;
    }
    t.stage = transaction::stage::data;
    t.link->smtp.data(now);
    flush(*t.link);
}

void engine::state::start_content(transaction& t) {
    t.stage = transaction::stage::content;
    t.guard.emplace(our_names);
    const std::string trace = trace_line({.helo = t.helo,
                                          .client = t.client,
                                          .by = settings.own_name,
                                          .extended = t.extended,
                                          .message_id = t.message_id,
                                          .only_recipient = t.accepted == 1 ? t.accepted_path : std::string_view(),
                                          .when = net.wall_clock()});
    t.link->smtp.content(trace, now);
    begin_copy(t);
    t.from->memory.texts[t.cell].data_reply.put(make_reply(354, {}, "Go ahead"));
    tell(t, news::data, 0);
}

/// One chunk at a time into the client, the next when the network has taken it: that is the back-pressure.
void engine::state::pump_content(transaction& t) {
    while (t.stage == transaction::stage::content && t.link != nullptr && t.link->smtp.output().empty()) {
        if (t.chunks.empty()) {
            if (!t.ended) {
                return;
            }
            t.stage = transaction::stage::final;
            t.link->smtp.end_of_data(now);
            flush(*t.link);
            return;
        }
        const auto [number, size] = t.chunks.front();
        const std::string_view octets(t.from->memory.chunks[number].octets.data(), size);
        t.guard->take(octets);
        if (t.guard->received() >= settings.limits.received_lines ||
            t.guard->received_by_us() >= settings.limits.received_lines_of_ours) {
            counts.loops.add();
            abort(t, make_reply(554, "5.4.6", "Mail loop: too many Received lines"));
            return;
        }
        t.link->smtp.content(octets, now);
        if (t.copy) {
            t.copy->add(octets);
        }
        counts.octets.add(octets.size());
        t.chunks.pop_front();
        tell(t, news::credit, number);
        flush(*t.link);
    }
}

/// Whether `t` would be one too many in its route's queue, or one of too many of its kind there.
bool engine::state::too_many_wait(const transaction& t) const {
    const std::size_t all = settings.limits.waiting_per_route;
    std::size_t of_source = 0;
    std::size_t unlisted = 0;
    for (const transaction* other : t.at->waiting) {
        of_source += other->claim.source == t.claim.source ? 1 : 0;
        unlisted += other->claim.unlisted ? 1 : 0;
    }
    return t.at->waiting.size() >= all || of_source >= std::max<std::size_t>(all / 4, 1) ||
           (t.claim.unlisted && unlisted >= std::max<std::size_t>(all / 4, 1));
}

/// No connection came in time, or too many wait for one.
void engine::state::no_connection(transaction& t) {
    stop_waiting(t);
    set_deadline(t, shard::never);
    t.stage = transaction::stage::fresh;
    if (t.claim.unlisted) {
        t.unlisted_refused = true;
        mark(t);
    } else {
        counts.limited.add();
        abort(t, make_reply(451, "4.3.2", "Too many connections to the mail server, try again later"));
    }
}

// The outside

engine::engine(const settings& settings, counters& counts, network& net, std::vector<lane*> lanes)
    : _state(std::make_unique<state>(settings, counts, net, std::move(lanes))) {}

engine::~engine() = default;

bool engine::take_commands(shard::instant now) {
    _state->now = now;
    bool more = false;
    for (std::size_t shard = 0; shard < _state->lanes.size(); ++shard) {
        to_relay message;
        std::size_t taken = 0;
        while (taken < commands_at_once && _state->lanes[shard]->commands.pop(message)) {
            _state->take(shard, message);
            _state->settle();
            ++taken;
        }
        more = more || taken == commands_at_once;
    }
    _state->leave();
    return more;
}

bool engine::commands_wait() const {
    return std::any_of(_state->lanes.begin(), _state->lanes.end(),
                       [](const lane* one) { return !one->commands.empty(); });
}

bool engine::take_told(std::size_t shard) noexcept {
    const bool told = _state->told[shard];
    _state->told[shard] = false;
    return told;
}

shard::instant engine::poll_at() const {
    shard::instant first = shard::never;
    if (!_state->transaction_deadlines.empty()) {
        first = _state->transaction_deadlines.begin()->first;
    }
    if (!_state->link_deadlines.empty()) {
        first = std::min(first, _state->link_deadlines.begin()->first);
    }
    return first;
}

void engine::lift_refusals(std::uint32_t route) {
    const auto known = _state->routes.find(route);
    if (known != _state->routes.end() && known->second->row.lift()) {
        _state->counts.refused_routes.sub();
    }
}

bool engine::finish() {
    _state->finishing = true;
    return _state->at_work > 0;
}

}  // namespace postern::relay
