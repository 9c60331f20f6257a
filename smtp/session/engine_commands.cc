// The engine's command lines: found, taken apart, carried out.
#include <algorithm>
#include <cstring>

#include "smtp/session/engine_steps.h"

namespace postern::session {

namespace {

using protocol::reply;
using protocol::verb;

protocol::phase phase_of(session_state state) noexcept {
    switch (state) {
        case session_state::transaction:
        case session_state::awaiting_data:
        case session_state::content:
        case session_state::swallowing:
        case session_state::awaiting_final:
            return protocol::phase::transaction;
        case session_state::ready:
            return protocol::phase::ready;
        case session_state::closed:
        case session_state::delayed:
        case session_state::greeted:
            break;
    }
    return protocol::phase::greeted;
}

/// Where in `in` the first LF is, or its size.
std::size_t line_feed(std::span<const char> in) noexcept {
    const void* const found = in.empty() ? nullptr : std::memchr(in.data(), '\n', in.size());
    return found == nullptr ? in.size() : static_cast<std::size_t>(static_cast<const char*>(found) - in.data());
}

}  // namespace

bool engine::must_wait(const client_session& s) {
    return s.held_reply != no_block || s.recipients.queue != no_block || s.recipients.unresolved != 0;
}

engine::step engine::command_line(work& w, std::span<const char> in, std::size_t& consumed) {
    client_session& s = w.session();
    if (s.discarding) {
        return discard(w, in, consumed);
    }
    if (s.state == session_state::transaction) {
        const auto plain = protocol::find_plain_recipient({in.data(), in.size()}, _address);
        if (!plain.path.empty()) {
            const step done = make_place(s) ? recipient(w, plain.path) : step::stalled;
            if (done == step::taken) {
                _context.count.commands.add();
                w.complete();
                consumed = plain.size;
            }
            return done;
        }
    }
    const std::size_t limit = texts_of(s).line_limit;
    const std::span<const char> window = in.first(std::min(in.size(), limit));
    const std::size_t feed = line_feed(window);
    if (feed == window.size()) {
        if (in.size() < limit) {
            return step::partial;
        }
        if (must_wait(s)) {
            return step::stalled;
        }
        s.discarding = true;
        s.answered = false;
        return discard(w, in, consumed);
    }
    std::string_view line(window.data(), feed);
    if (!line.empty() && line.back() == '\r') {
        line.remove_suffix(1);
    } else if (!s.normalise) {
        // A bare LF is no line end (RFC 5321 2.3.8): what follows it belongs to the same bad line.
        if (must_wait(s) || !w.ensure(protocol::longest_own_reply())) {
            return step::stalled;
        }
        s.discarding = true;
        s.answered = true;
        consumed = feed + 1;
        return fail(w, reply::bare_line_feed);
    }
    const step done = execute(w, line);
    consumed = done == step::stalled ? 0 : feed + 1;
    return done;
}

engine::step engine::discard(work& w, std::span<const char> in, std::size_t& consumed) {
    client_session& s = w.session();
    std::size_t end = line_feed(in);
    while (end < in.size() && (end == 0 || in[end - 1] != '\r')) {
        end += 1 + line_feed(in.subspan(end + 1));
    }
    const bool found = end < in.size();
    if (found && !s.answered && !w.ensure(protocol::longest_own_reply())) {
        return step::stalled;
    }
    // A CR at the end may be half of the line's end: it stays.
    const std::size_t taken = found ? end + 1 : in.size() - (in.back() == '\r' ? 1 : 0);
    if (taken == 0) {
        return step::partial;
    }
    consumed = taken;
    s.discarded += static_cast<std::uint32_t>(taken);
    if (s.discarded > _context.settings.discard_limit) {
        _context.count.closed_errors.add();
        close_with(w, reply::too_much_discarded);
        return step::gone;
    }
    if (!found) {
        return step::taken;
    }
    s.discarding = false;
    if (s.answered) {
        w.complete();
        return step::taken;
    }
    return fail(w, reply::line_too_long);
}

/// Precondition: room for a reply of Postern's own.
engine::step engine::fail(work& w, reply error) {
    client_session& s = w.session();
    w.complete();
    if (protocol::is_protocol_error(error)) {
        _context.count.protocol_errors.add();
        if (++s.errors > _context.settings.protocol_error_limit) {
            _context.count.closed_errors.add();
            close_with(w, reply::too_many_errors);
            return step::gone;
        }
    }
    w.put(protocol::text(error));
    return step::taken;
}

engine::step engine::execute(work& w, std::string_view line) {
    client_session& s = w.session();
    const protocol::command_spec& spec = protocol::find_command(line);
    const protocol::phase phase = phase_of(s.state);
    if (_draining && phase != protocol::phase::transaction) {
        close_with(w, reply::draining);
        return step::gone;
    }
    const bool waiting = must_wait(s);
    if (waiting && (spec.verb != verb::rcpt || !make_place(s))) {
        return step::stalled;
    }
    if (!w.ensure(spec.longest_reply)) {
        return step::stalled;
    }
    if (!spec.allowed(phase)) {
        return fail(w, spec.refusal(phase));
    }
    protocol::command command;
    const auto parsed =
        protocol::parse(spec, line, {.extensions = texts_of(s).extensions, .address = _address}, command);
    if (!parsed) {
        const reply error = parsed.error();
        if (spec.verb == verb::rcpt && !protocol::is_protocol_error(error)) {
            _context.count.recipients_syntax.add();
            return refuse_recipient(w, error);
        }
        return waiting ? step::stalled : fail(w, error);
    }
    const step done = carry_out(w, command);
    if (done == step::taken) {
        _context.count.commands.add();
        w.complete();
    }
    return done;
}

engine::step engine::carry_out(work& w, const protocol::command& command) {
    client_session& s = w.session();
    const auto answer_with = [&](reply with) {
        w.put(protocol::text(with));
        return step::taken;
    };
    switch (command.verb) {
        case verb::helo:
        case verb::ehlo:
            return hello(w, command);
        case verb::mail:
            return mail(w, command);
        case verb::rcpt:
            return recipient(w, command.argument);
        case verb::data:
            return data(w);
        case verb::rset:
            if (s.transaction != no_block) {
                drop_transaction(w);
            }
            return answer_with(reply::ok);
        case verb::noop:
            return answer_with(reply::ok);
        case verb::vrfy:
            return answer_with(reply::cannot_verify);
        case verb::expn:
            return answer_with(reply::not_implemented);
        case verb::help:
            return answer_with(reply::help);
        case verb::quit:
            close_with(w, reply::closing);
            return step::gone;
        case verb::unknown:
            break;
    }
    return fail(w, reply::unknown_command);
}

engine::step engine::hello(work& w, const protocol::command& command) {
    client_session& s = w.session();
    drop_transaction(w);
    _texts.give(s.long_name);
    if (command.argument.size() > client_session::short_name) {
        s.long_name = keep(command.argument);
        if (s.long_name == no_block) {
            close_with(w, reply::too_many_connections);
            return step::gone;
        }
        s.name_size = 0;
    } else {
        s.name_size = static_cast<std::uint8_t>(command.argument.size());
        std::memcpy(s.name.data(), command.argument.data(), command.argument.size());
    }
    s.extended = command.verb == verb::ehlo;
    s.state = session_state::ready;
    w.put(s.extended ? texts_of(s).ehlo : _helo);
    return step::taken;
}

engine::step engine::mail(work& w, const protocol::command& command) {
    const std::uint64_t limit = _context.settings.size_limit;
    if (limit != 0 && command.size > limit) {
        _context.count.messages_too_large.add();
        return fail(w, reply::too_large);
    }
    client_session& s = w.session();
    const std::uint32_t index = _transactions.take();
    if (index == no_block) {
        return fail(w, reply::out_of_space);
    }
    transaction& t = _transactions[index];
    t = transaction{};
    if (command.argument.size() > transaction::short_path) {
        t.long_path = keep(command.argument);
        if (t.long_path == no_block) {
            std::uint32_t unused = index;
            _transactions.give(unused);
            return fail(w, reply::out_of_space);
        }
    } else {
        std::memcpy(t.path.data(), command.argument.data(), command.argument.size());
    }
    s.recipients = {.serial = next_serial()};
    t.path_size = static_cast<std::uint16_t>(command.argument.size());
    t.declared_size = command.size;
    t.body = command.body;
    s.transaction = index;
    s.state = session_state::transaction;
    w.put(protocol::text(reply::sender_ok));
    return step::taken;
}

engine::step engine::data(work& w) {
    client_session& s = w.session();
    transaction& t = _transactions[s.transaction];
    if (!s.recipients.tried) {
        return fail(w, reply::recipient_first);
    }
    if (t.accepted == 0) {
        return fail(w, reply::no_valid_recipients);
    }
    if (t.relay == relay_state::broken_off) {
        w.put(last_word(t));
        drop_transaction(w);
        return step::taken;
    }
    s.state = session_state::awaiting_data;
    _context.relay.data({.slot = w.connection().slot, .serial = t.relay_serial});
    wait(w, _context.settings.timeouts.relay);
    return step::taken;
}

}  // namespace postern::session
