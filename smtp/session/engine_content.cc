// The engine's message content: on to the relay as far as it has room, or swallowed once it is refused.
#include <cstdint>

#include "smtp/session/content.h"
#include "smtp/session/engine_steps.h"

namespace postern::session {

using protocol::reply;

engine::step engine::content(work& w, std::span<const char> in, std::size_t& consumed) {
    client_session& s = w.session();
    transaction& t = _transactions[s.transaction];
    const relay::transaction_id id{.slot = w.connection().slot, .serial = t.relay_serial};
    const bare_policy bare = s.normalise ? bare_policy::normalise : bare_policy::refuse;
    const std::uint64_t limit = _context.settings.size_limit;
    while (!in.empty()) {
        const content_step next = next_content(in, t.position, bare, _context.relay.room(id));
        switch (next.kind) {
            case content_kind::content:
                break;
            case content_kind::need_more:
                return step::partial;
            case content_kind::no_room:
                if (!s.relay_behind) {
                    s.relay_behind = true;
                    wait(w, _context.settings.timeouts.relay);
                }
                return step::stalled;
            case content_kind::bare:
                _context.count.messages_bare_line_end.add();
                refuse_content(w, reply::bare_line_end);
                return step::taken;
            case content_kind::end_of_data:
                consumed += next.consumed;
                s.state = session_state::awaiting_final;
                _context.relay.end_of_data(id);
                wait(w, _context.settings.timeouts.relay);
                return step::taken;
        }
        if (limit != 0 && t.content_size + next.pass.size() > limit) {
            _context.count.messages_too_large.add();
            consumed += next.consumed;
            t.swallowed = next.consumed;
            refuse_content(w, reply::too_large);
            return step::taken;
        }
        if (!next.pass.empty() && _context.relay.chunk(id, next.pass) != next.pass.size()) {
            // It took less than it said it had room for: the message is no longer whole.
            consumed += next.consumed;
            refuse_content(w, reply::busy);
            return step::taken;
        }
        t.content_size += next.pass.size();
        t.progress += next.consumed;
        _context.count.octets.add(next.pass.size());
        consumed += next.consumed;
        in = in.subspan(next.consumed);
    }
    return step::taken;
}

/// The relay's server loses the message without the final dot; the client hears of it at its end of data.
void engine::refuse_content(work& w, reply with) {
    client_session& s = w.session();
    transaction& t = _transactions[s.transaction];
    _context.relay.abandon({.slot = w.connection().slot, .serial = t.relay_serial});
    t.relay = relay_state::none;
    t.refusal = with;
    s.relay_behind = false;
    s.state = session_state::swallowing;
}

engine::step engine::swallow(work& w, std::span<const char> in, std::size_t& consumed) {
    client_session& s = w.session();
    transaction& t = _transactions[s.transaction];
    while (!in.empty()) {
        const content_step next = next_content(in, t.position, bare_policy::ignore, SIZE_MAX);
        switch (next.kind) {
            case content_kind::content:
                break;
            case content_kind::need_more:
            case content_kind::no_room:
            case content_kind::bare:
                return step::partial;
            case content_kind::end_of_data: {
                const std::string_view line = t.refused_by_relay ? last_word(t) : protocol::text(t.refusal);
                if (!w.ensure(line.size())) {
                    return step::stalled;
                }
                w.put(line);
                w.complete();
                consumed += next.consumed;
                drop_transaction(w);
                return step::taken;
            }
        }
        t.swallowed += next.consumed;
        t.progress += next.consumed;
        consumed += next.consumed;
        in = in.subspan(next.consumed);
        if (t.swallowed > _context.settings.swallow_limit) {
            _context.count.closed_errors.add();
            close_with(w, reply::too_much_discarded);
            return step::gone;
        }
    }
    return step::taken;
}

}  // namespace postern::session
