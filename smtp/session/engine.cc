#include "smtp/session/engine.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "smtp/session/engine_steps.h"

namespace postern::session {

namespace {

using protocol::reply;

bool between_transactions(const client_session& s) noexcept {
    return s.state == session_state::greeted || s.state == session_state::ready;
}

bool normalises(const settings& of, const std::array<std::uint8_t, 16>& peer) {
    const bool exception = std::any_of(of.bare_line_end_exceptions.begin(), of.bare_line_end_exceptions.end(),
                                       [&](const recipients::network& n) { return n.contains(peer); });
    return (of.bare_line_ends == bare_line_ends::normalise) != exception;
}

}  // namespace

engine::engine(session::link& transport, const context& of, const shard::slot_rooms& rooms)
    : _link(transport),
      _context(of),
      _greeting(protocol::greeting(of.settings.name)),
      _helo(protocol::helo_reply(of.settings.name)),
      _lookups(recipients::lookup_batch::capacity),
      _paths(std::make_unique_for_overwrite<char[]>(recipients::lookup_batch::capacity * protocol::longest_path)),
      _sessions(rooms),
      _transactions(of.settings.transactions),
      _queues(of.settings.transactions),
      _texts(of.settings.texts) {
    std::vector<listener_settings> listeners = of.settings.listeners;
    listeners.emplace_back();
    for (const listener_settings& one : listeners) {
        const std::size_t limit = of.settings.command_line_limit + protocol::longer_lines(one.extensions);
        _listeners.push_back({.extensions = one.extensions,
                              .line_limit = limit,
                              .ehlo = protocol::ehlo_reply(of.settings.name, one.extensions, of.settings.size_limit)});
    }
}

const engine::listener_texts& engine::texts_of(const client_session& s) const noexcept {
    return _listeners[std::min<std::size_t>(s.listener, _listeners.size() - 1)];
}

std::uint32_t engine::next_serial() noexcept {
    if (++_serial == 0) {
        ++_serial;
    }
    return _serial;
}

// ---- connections

void engine::opened(shard::connection c, const shard::connection_info& info, shard::admission admitted) {
    counters& count = _context.count;
    const auto turn_away = [&](reply with, counter& counted) {
        counted.add();
        _link.say_now(c, protocol::text(with));
        _link.finish(c);
    };
    switch (admitted) {
        case shard::admission::too_many_connections:
            turn_away(reply::too_many_connections, count.refused_total);
            return;
        case shard::admission::too_many_from_source:
            turn_away(reply::too_many_from_source, count.refused_source);
            return;
        case shard::admission::draining:
            turn_away(reply::draining, count.refused_draining);
            return;
        case shard::admission::admitted:
            break;
    }
    if (_draining) {
        turn_away(reply::draining, count.refused_draining);
        return;
    }
    if (info.early_octets) {
        turn_away(reply::early_talker, count.early_talkers);
        return;
    }

    client_session* const own = _sessions.make(c.slot);
    if (own == nullptr) {
        turn_away(reply::too_many_connections, count.refused_total);
        return;
    }
    client_session& s = *own;
    s.serial = c.serial;
    s.state = session_state::delayed;
    s.listener = info.listener;
    s.normalise = normalises(_context.settings, info.peer.address);
    s.opened = _link.now();
    ++_open;
    count.sessions.add();
    count.sessions_open.set(_open);

    work w(_link, c, s);
    if (_context.settings.timeouts.greeting_delay > milliseconds(0)) {
        wait(w, _context.settings.timeouts.greeting_delay);
    } else {
        greet(w);
    }
    if (!w.gone()) {
        w.want_read();
    }
}

void engine::greet(work& w) {
    w.session().state = session_state::greeted;
    say(w, _greeting);
    if (!w.gone()) {
        wait(w, _context.settings.timeouts.greeting);
    }
}

std::size_t engine::readable(shard::connection c, std::span<const char> octets) {
    client_session* const s = find(c);
    if (s == nullptr) {
        return octets.size();
    }
    work w(_link, c, *s);
    std::span<const char> rest = octets;
    step last = step::taken;
    while (last == step::taken && !rest.empty()) {
        std::size_t consumed = 0;
        switch (s->state) {
            case session_state::delayed:
                _context.count.early_talkers.add();
                close_with(w, reply::early_talker);
                last = step::gone;
                break;
            case session_state::greeted:
            case session_state::ready:
            case session_state::transaction:
                last = s->held_reply == no_block ? command_line(w, rest, consumed) : step::stalled;
                break;
            case session_state::awaiting_data:
            case session_state::awaiting_final:
                last = step::stalled;
                break;
            case session_state::content:
                last = content(w, rest, consumed);
                break;
            case session_state::swallowing:
                last = swallow(w, rest, consumed);
                break;
            case session_state::closed:
                last = step::gone;
                break;
        }
        rest = rest.subspan(consumed);
    }
    if (last == step::gone) {
        return octets.size();
    }
    s->stalled = last == step::stalled;
    settle_deadline(w, last);
    settle(w);
    return w.gone() ? octets.size() : octets.size() - rest.size();
}

void engine::writable(shard::connection c) {
    client_session* const s = find(c);
    if (s == nullptr) {
        return;
    }
    work w(_link, c, *s);
    if (s->held_reply != no_block) {
        const std::string_view line = _texts[s->held_reply].view();
        if (!w.ensure(line.size())) {
            return;
        }
        w.put(line);
        _texts.give(s->held_reply);
    }
    answer(w);
    read_again(w);
    settle(w);
}

void engine::peer_closed(shard::connection c) {
    client_session* const s = find(c);
    if (s == nullptr) {
        return;
    }
    work w(_link, c, *s);
    s->half_closed = true;
    settle(w);
}

void engine::reset(shard::connection c) {
    client_session* const s = find(c);
    if (s == nullptr) {
        return;
    }
    work w(_link, c, *s);
    if (s->transaction != no_block) {
        _context.count.disconnected.add();
    }
    drop_transaction(w);
    forget(*s);
    w.leave();
}

void engine::deadline(shard::connection c) {
    client_session* const s = find(c);
    if (s == nullptr) {
        return;
    }
    const timeouts& times = _context.settings.timeouts;
    const shard::instant now = _link.now();
    s->armed = shard::never;
    work w(_link, c, *s);
    if (now < s->due) {
        s->armed = s->due;
        w.set_deadline(s->due);
        return;
    }
    if (s->state == session_state::delayed) {
        greet(w);
        settle(w);
        return;
    }
    const bool in_time = now < s->opened + times.session;
    const bool in_content = s->state == session_state::content || s->state == session_state::swallowing;
    if (in_time && in_content && !s->relay_behind) {
        transaction& t = _transactions[s->transaction];
        if (t.progress >= _context.settings.data_minimum) {
            t.progress = 0;
            wait(w, times.data);
            return;
        }
    }
    _context.count.timeouts.add();
    close_with(w, reply::timeout);
}

void engine::turn_begin() {
    _snapshot = _context.table.load(std::memory_order_acquire);
    while (_context.relay.next_event(_event)) {
        take_event(_event);
    }
}

void engine::turn_end() {
    resolve();
    _context.relay.flush();
    _snapshot = nullptr;
}

void engine::drain() {
    _draining = true;
    _sessions.for_each_open([this](std::uint32_t slot, client_session& s) {
        work w(_link, {.slot = slot, .serial = s.serial}, s);
        if (s.state == session_state::delayed) {
            close_with(w, reply::draining);
        } else {
            settle(w);
        }
    });
}

// ---- ends

void engine::forget(client_session& s) {
    _texts.give(s.long_name);
    _texts.give(s.held_reply);
    s.state = session_state::closed;
    --_open;
    _context.count.sessions_open.set(_open);
}

void engine::close(work& w, bool silent) {
    w.commit();
    drop_transaction(w);
    const shard::connection c = w.connection();
    forget(w.session());
    w.leave();
    if (silent) {
        _link.finish_silent(c);
    } else {
        _link.finish(c);
    }
}

void engine::close_with(work& w, reply last) {
    const std::string_view line = protocol::text(last);
    if (w.session().held_reply == no_block && w.ensure(line.size())) {
        w.put(line);
    }
    close(w, last == reply::closing);
}

void engine::reset_for_memory(work& w) {
    _context.count.aborted_memory.add();
    drop_transaction(w);
    const shard::connection c = w.connection();
    forget(w.session());
    w.leave();
    _link.abort(c);
}

void engine::release_queue(client_session& s) {
    if (s.recipients.queue == no_block) {
        return;
    }
    recipient_queue& queue = _queues[s.recipients.queue];
    for (; !queue.empty(); queue.pop()) {
        _texts.give(queue[queue.first()].text);
    }
    _queues.give(s.recipients.queue);
}

void engine::drop_transaction(work& w) {
    client_session& s = w.session();
    if (s.transaction == no_block) {
        return;
    }
    transaction& t = _transactions[s.transaction];
    if (t.relay == relay_state::open) {
        _context.relay.abandon({.slot = w.connection().slot, .serial = t.relay_serial});
        if (s.state != session_state::transaction) {
            _context.count.messages_abandoned.add();
        }
    }
    release_queue(s);
    s.recipients = {};
    _texts.give(t.long_path);
    _texts.give(t.last_word);
    _transactions.give(s.transaction);
    s.relay_behind = false;
    s.state = session_state::ready;
}

// ---- time

void engine::wait(work& w, milliseconds at_most) {
    client_session& s = w.session();
    s.due = _link.now() + at_most;
    if (s.state != session_state::awaiting_final) {
        s.due = std::min<shard::instant>(s.due, s.opened + _context.settings.timeouts.session);
    }
    if (s.due < s.armed) {
        s.armed = s.due;
        w.set_deadline(s.due);
    }
}

bool engine::waits_for_relay(const client_session& s) {
    switch (s.state) {
        case session_state::awaiting_data:
        case session_state::awaiting_final:
            return true;
        case session_state::content:
            return s.relay_behind;
        case session_state::transaction:
            return s.recipients.asked != 0;
        case session_state::closed:
        case session_state::delayed:
        case session_state::greeted:
        case session_state::ready:
        case session_state::swallowing:
            break;
    }
    return false;
}

void engine::settle_deadline(work& w, step last) {
    client_session& s = w.session();
    const bool in_commands = s.state == session_state::ready || s.state == session_state::transaction;
    if (!in_commands || waits_for_relay(s)) {
        return;
    }
    const timeouts& times = _context.settings.timeouts;
    if (last == step::partial || s.discarding) {
        if (w.completed() || !s.partial_line) {
            s.partial_line = true;
            wait(w, times.command);
        }
    } else if (w.completed()) {
        s.partial_line = false;
        wait(w, times.idle);
    }
}

void engine::settle_end(work& w) {
    client_session& s = w.session();
    if (must_wait(s) || waits_for_relay(s)) {
        return;
    }
    if (_draining && between_transactions(s)) {
        close_with(w, reply::draining);
    } else if (s.half_closed && !s.stalled) {
        if (s.transaction != no_block) {
            _context.count.disconnected.add();
        }
        close(w);
    }
}

// ---- replies

std::uint32_t engine::keep(std::string_view line) {
    const std::uint32_t index = _texts.take();
    if (index != no_block) {
        text_block& block = _texts[index];
        block.size = static_cast<std::uint16_t>(std::min(line.size(), text_block::capacity));
        std::memcpy(block.octets.data(), line.data(), block.size);
    }
    return index;
}

void engine::say(work& w, std::string_view line) {
    client_session& s = w.session();
    if (s.held_reply == no_block && w.ensure(line.size())) {
        w.put(line);
        return;
    }
    if (s.held_reply == no_block) {
        s.held_reply = keep(line);
        if (s.held_reply != no_block) {
            return;
        }
    }
    reset_for_memory(w);
}

void engine::read_again(work& w) {
    if (w.session().stalled) {
        w.want_read();
    }
}

}  // namespace postern::session
