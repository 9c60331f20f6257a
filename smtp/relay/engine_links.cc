#include <algorithm>

#include "smtp/relay/engine_state.h"

namespace postern::relay {

link* engine::state::find(link_id id) {
    const auto known = links.find(id);
    return known == links.end() ? nullptr : known->second.get();
}

void engine::state::note_deadline(link& one) {
    shard::instant when = one.smtp.poll_at();
    if (one.use == link::use::opening) {
        when = std::min(when, one.open_by);
    } else if (one.use == link::use::idle) {
        when = one.idle_until;
    }
    if (when == one.deadline) {
        return;
    }
    if (one.deadline != shard::never) {
        link_deadlines.erase({one.deadline, &one});
    }
    one.deadline = when;
    if (when != shard::never) {
        link_deadlines.emplace(when, &one);
    }
}

/// Closes it at once. The object lives on until the engine is left, for a caller may be within it.
void engine::state::drop(link& one) {
    const auto known = links.find(one.id);
    if (known == links.end()) {
        return;
    }
    if (one.deadline != shard::never) {
        link_deadlines.erase({one.deadline, &one});
        one.deadline = shard::never;
    }
    net.close(one.id);
    if (one.connected) {
        counts.connections_open.sub();
    }
    dropped.push_back(std::move(known->second));
    links.erase(known);
    one.at->connections.closed(one.key(), one.id);
    serve_waiting(*one.at);
}

// Getting one

void engine::state::find_link(transaction& t) {
    if (t.at->waiting.empty()) {
        t.claim.tried = &t.tried;
        const pool::grant grant = t.at->connections.take(*t.route, t.claim, now);
        switch (grant.verdict) {
            case pool::verdict::reuse:
                t.has_share = true;
                take_idle(t, grant.link);
                return;
            case pool::verdict::open:
                t.has_share = true;
                open_link(t, grant.host);
                return;
            case pool::verdict::no_host:
                abort(t, make_reply(451, "4.4.1", "Mail server is not available"));
                return;
            case pool::verdict::wait:
                break;
        }
    }
    // Behind others even if there were room just for this one: who waits longest is first (serve_waiting passes over
    // those whose own share is used up).
    if (too_many_wait(t)) {
        no_connection(t);
        return;
    }
    t.stage = transaction::stage::waiting;
    t.at->waiting.push_back(&t);
    set_deadline(t, now + settings.timeouts.wait);
    serve_waiting(*t.at);
}

void engine::state::start_connect_time(transaction& t) {
    if (!t.connect_by) {
        t.connect_by = now + settings.timeouts.connect_total;
    }
}

void engine::state::take_idle(transaction& t, link_id id) {
    link& one = *find(id);
    counts.connections_reused.add();
    start_connect_time(t);
    one.use = link::use::working;
    one.reused = true;
    one.user = &t;
    t.link = &one;
    t.stage = transaction::stage::open;
    note_deadline(one);
}

/// The connection is already counted for its host.
void engine::state::open_link(transaction& t, const recipients::mail_host& host) {
    const link_id id = ++last_link;
    auto fresh = std::make_unique<link>(id, settings, *t.at, host);
    link& one = *fresh;
    links.emplace(id, std::move(fresh));
    start_connect_time(t);
    one.user = &t;
    one.open_by = now + settings.timeouts.connect;
    t.link = &one;
    t.stage = transaction::stage::connecting;
    set_deadline(t, *t.connect_by);
    counts.connections.add();
    note_deadline(one);
    net.open(id, host);
}

void engine::state::stop_waiting(transaction& t) {
    if (t.stage == transaction::stage::waiting) {
        t.at->waiting.remove(&t);
    }
}

void engine::state::give_share_back(transaction& t) {
    if (t.has_share) {
        t.has_share = false;
        t.at->connections.give_share_back(t.claim);
        serve_waiting(*t.at);
    }
}

/// Something came free. Whoever can use it and waits longest gets it.
void engine::state::serve_waiting(route_state& route) {
    for (auto place = route.waiting.begin(); place != route.waiting.end();) {
        transaction& t = **place;
        t.claim.tried = &t.tried;
        const pool::grant grant = route.connections.take(*t.route, t.claim, now);
        if (grant.verdict == pool::verdict::wait) {
            ++place;
            continue;
        }
        place = route.waiting.erase(place);
        t.stage = transaction::stage::fresh;
        set_deadline(t, shard::never);
        switch (grant.verdict) {
            case pool::verdict::reuse:
                t.has_share = true;
                take_idle(t, grant.link);
                mark(t);
                break;
            case pool::verdict::open:
                t.has_share = true;
                open_link(t, grant.host);
                break;
            case pool::verdict::no_host:
                abort(t, make_reply(451, "4.4.1", "Mail server is not available"));
                break;
            case pool::verdict::wait:
                break;
        }
        // What was done may have changed the queue.
        place = route.waiting.begin();
    }
}

// What they do

void engine::state::work(link& one) {
    while (std::optional<client_event> event = one.smtp.next_event()) {
        take(one, *event);
        if (find(one.id) == nullptr) {
            return;
        }
    }
    flush(one);
}

void engine::state::flush(link& one) {
    if (!one.smtp.output().empty()) {
        net.send(one.id);
    } else if (one.use == link::use::quitting) {
        drop(one);
        return;
    }
    note_deadline(one);
}

void engine::state::take(link& one, client_event& event) {
    switch (event.kind) {
        case client_event::kind::ready:
            link_ready(one);
            return;
        case client_event::kind::answer:
            if (event.reply.code >= 400) {
                ++one.errors;
            }
            link_answer(one, event);
            return;
        case client_event::kind::failed:
            link_trouble(one, event.trouble, event.reply, {});
            return;
    }
}

void engine::state::link_ready(link& one) {
    one.at->connections.host_works(one.key());
    one.open_by = shard::never;
    transaction* const t = one.user;
    if (t == nullptr) {
        rest(one);  // its transaction was taken back meanwhile
        return;
    }
    one.use = link::use::working;
    set_deadline(*t, shard::never);
    t->stage = transaction::stage::open;
    mark(*t);
}

void engine::state::rest(link& one) {
    one.use = link::use::idle;
    one.idle_until = now + settings.timeouts.idle;
    one.at->connections.idle(one.key(), one.id);
    serve_waiting(*one.at);
}

void engine::state::link_answer(link& one, const client_event& event) {
    transaction* const t = one.user;
    const server_reply& said = event.reply;
    if (event.step == step::final) {
        ++one.messages;
    }
    if (t == nullptr) {
        // After a 354 that nobody waits for, only closing ends the transaction without a message.
        if ((event.step == step::data && said.code == 354) || (event.step == step::rset && !said.positive())) {
            drop(one);
        } else if (event.step == step::rset) {
            rest(one);
        } else {
            clear_on(one);
        }
        return;
    }
    switch (event.step) {
        case step::mail:
            if (!said.positive()) {
                counts.refused.add();
                abort(*t, judged(*t, said, answered::mail));
            }
            break;
        case step::rcpt:
            recipient_answered(*t, said);
            break;
        case step::data:
            if (said.code == 354) {
                start_content(*t);
            } else {
                counts.refused.add();
                end(*t, news::data, judged(*t, said, answered::data));
            }
            break;
        case step::final:
            (said.positive() ? counts.delivered : counts.refused).add();
            end(*t, news::final, judged(*t, said, answered::final));
            if (said.positive()) {
                give_copy(*t);
            }
            break;
        case step::greeting:
        case step::ehlo:
        case step::helo:
        case step::content:
        case step::rset:
        case step::quit:
            break;
    }
}

/// Its user has no more use for it.
void engine::state::release(link& one) {
    one.reused = false;
    if (one.use == link::use::opening) {
        return;  // it will be ready for another
    }
    one.smtp.forget_unsent();
    one.use = link::use::clearing;
    clear_on(one);
}

void engine::state::clear_on(link& one) {
    if (one.use != link::use::clearing || !one.smtp.quiet()) {
        return;
    }
    if (one.messages >= settings.limits.messages_per_connection ||
        one.errors >= settings.limits.errors_per_connection || finishing) {
        one.use = link::use::quitting;
        one.smtp.quit(now);
    } else {
        one.use = link::use::resetting;
        one.smtp.rset(now);
    }
    flush(one);
}

namespace {

/// Why a connection that stood never came to be ready.
std::string words(trouble of, const server_reply& said) {
    switch (of) {
        case trouble::closing:
        case trouble::unavailable:
        case trouble::early:
        case trouble::refused:
            return for_people(said);
        case trouble::timeout:
        case trouble::too_slow:
            return "no answer in time";
        case trouble::malformed:
            return "its answer is not SMTP";
        case trouble::lost:
        case trouble::ourselves:
            break;
    }
    return "it closed the connection before it was ready";
}

}  // namespace

/// The connection is of no more use. `text` is the network's word if it never stood.
void engine::state::link_trouble(link& one, relay::trouble trouble, const server_reply& said, std::string_view text) {
    const std::string host = one.host.host + " port " + std::to_string(one.host.port);
    const bool opening = one.use == link::use::opening;
    if (opening) {
        counts.connections_failed.add();
        one.at->connections.host_failed(one.key(), now + settings.timeouts.host_down);
    }
    if (trouble == trouble::refused) {
        alarm(*one.at, alarm_kind::refuses_us, "mail server " + host + " refuses us: " + for_people(said));
    } else if (trouble == trouble::ourselves) {
        alarm(
            *one.at, alarm_kind::ourselves,
            "mail server " + host + " is this system itself: " + (text.empty() ? for_people(said) : std::string(text)));
    } else if (opening) {
        alarm(*one.at, alarm_kind::out_of_reach,
              "mail server " + host + " is out of reach: " + (text.empty() ? words(trouble, said) : std::string(text)));
    }
    transaction* const t = one.user;
    if (t == nullptr) {
        drop(one);
        return;
    }
    if (try_again(*t, one, trouble)) {
        return;
    }
    const bool after_354 = t->stage == transaction::stage::content || t->stage == transaction::stage::final;
    if (t->stage == transaction::stage::final && one.smtp.output().empty()) {
        counts.in_doubt.add();
    }
    (trouble == trouble::early ? counts.refused : counts.aborted).add();
    reply answer = make_reply(451, "4.4.1", "Mail server is not available");
    if (trouble == trouble::early) {
        answer = judged(*t, said, answered::final);
    } else if (trouble == trouble::refused) {
        counts.softened.add();
        answer = make_reply(451, "4.4.0", "Mail server does not accept mail from this system");
    } else if (trouble == trouble::ourselves) {
        answer = make_reply(451, "4.4.6", "Mail server of this domain is this system itself");
    } else if (after_354) {
        answer = make_reply(451, "4.4.2", "Connection to the mail server was lost");
    }
    t->link = nullptr;
    one.user = nullptr;
    drop(one);
    abort(*t, answer);
}

/// Before the first answer to a RCPT another connection may do: a new one in a dead pooled one's place (so once), else
/// another host's.
bool engine::state::try_again(transaction& t, link& one, relay::trouble trouble) {
    if (t.server_answered || t.stage == transaction::stage::over) {
        return false;
    }
    const bool dead = trouble == trouble::lost || trouble == trouble::closing;
    const bool in_place = one.reused && dead;
    if (!in_place && t.connect_by && now >= *t.connect_by) {
        return false;
    }
    t.mail_sent = false;
    for (pending_recipient& each : t.recipients) {
        if (each.stage == pending_recipient::stage::sent) {
            each.stage = pending_recipient::stage::waiting;
        }
    }
    t.link = nullptr;
    t.stage = transaction::stage::fresh;
    set_deadline(t, shard::never);
    one.user = nullptr;
    if (in_place) {
        t.connect_by.reset();
        counts.connections_replaced.add();
        t.at->connections.reopen(one.key());  // before the dead one's place can go to another
        const recipients::mail_host host = one.host;
        drop(one);
        open_link(t, host);
        return true;
    }
    t.tried.push_back(one.key());
    const bool others = std::any_of(t.route->hosts.begin(), t.route->hosts.end(), [&t](const auto& host) {
        return std::find(t.tried.begin(), t.tried.end(), host_key(host.host, host.port)) == t.tried.end();
    });
    if (!others) {
        t.link = &one;
        one.user = &t;
        t.stage = one.use == link::use::opening ? transaction::stage::connecting : transaction::stage::open;
        return false;
    }
    one.at->connections.host_failed(one.key(), now + settings.timeouts.host_down);
    drop(one);
    give_share_back(t);
    find_link(t);
    mark(t);
    return true;
}

// The outside

void engine::link_opened(link_id id, shard::instant now) {
    _state->now = now;
    if (link* const one = _state->find(id)) {
        one->connected = true;
        _state->counts.connections_open.add();
        one->open_by = shard::never;
        one->smtp.opened(now);
        _state->work(*one);
    }
    _state->leave();
}

void engine::link_failed(link_id id, open_failure why, std::string_view text, shard::instant now) {
    _state->now = now;
    if (link* const one = _state->find(id)) {
        const relay::trouble trouble = why == open_failure::own_address ? trouble::ourselves : trouble::lost;
        _state->link_trouble(*one, trouble, {}, text);
    }
    _state->leave();
}

std::string_view engine::link_output(link_id id) const {
    const link* const one = _state->find(id);
    return one == nullptr ? std::string_view() : one->smtp.output();
}

void engine::link_sent(link_id id, std::size_t octets, shard::instant now) {
    _state->now = now;
    if (link* const one = _state->find(id)) {
        one->smtp.sent(octets, now);
        if (one->user != nullptr && one->smtp.output().empty()) {
            _state->pump_content(*one->user);
        }
        if (_state->find(id) != nullptr) {
            _state->work(*one);
        }
    }
    _state->leave();
}

void engine::link_received(link_id id, std::span<const char> octets, shard::instant now) {
    _state->now = now;
    if (link* const one = _state->find(id)) {
        one->smtp.received(octets, now);
        _state->work(*one);
    }
    _state->leave();
}

void engine::link_closed(link_id id, shard::instant now) {
    _state->now = now;
    if (link* const one = _state->find(id)) {
        one->smtp.closed(now);
        _state->work(*one);
    }
    _state->leave();
}

void engine::tick(shard::instant now) {
    _state->now = now;
    while (!_state->link_deadlines.empty() && _state->link_deadlines.begin()->first <= now) {
        link& one = *_state->link_deadlines.begin()->second;
        if (one.use == link::use::idle) {
            one.at->connections.not_idle(one.key(), one.id);
            one.use = link::use::quitting;
            one.smtp.quit(now);
            _state->work(one);
        } else if (one.use == link::use::opening && now >= one.open_by) {
            _state->link_trouble(one, trouble::timeout, {}, {});
        } else {
            one.smtp.tick(now);
            _state->work(one);
        }
    }
    while (!_state->transaction_deadlines.empty() && _state->transaction_deadlines.begin()->first <= now) {
        transaction& t = *_state->transaction_deadlines.begin()->second;
        if (t.stage == transaction::stage::waiting) {
            _state->no_connection(t);
        } else if (t.link != nullptr) {
            _state->link_trouble(*t.link, trouble::timeout, {}, {});
        } else {
            _state->set_deadline(t, shard::never);
        }
    }
    _state->leave();
}

void engine::cut_off(shard::instant now) {
    _state->now = now;
    _state->finishing = true;
    for (auto& of_shard : _state->transactions) {
        for (auto& one : of_shard) {
            if (one == nullptr || one->stage == transaction::stage::over) {
                continue;
            }
            if (one->stage == transaction::stage::final && one->link->smtp.content_is_gone()) {
                _state->counts.in_doubt.add();
            }
            _state->counts.aborted.add();
            _state->abort(*one, make_reply(451, "4.3.2", "System is shutting down"));
        }
    }
    while (!_state->links.empty()) {
        _state->drop(*_state->links.begin()->second);
    }
    _state->leave();
}

}  // namespace postern::relay
