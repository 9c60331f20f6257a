// What the relay says about a transaction, turned into replies and the next state.
#include <array>
#include <cstring>
#include <tuple>

#include "smtp/session/engine_steps.h"

namespace postern::session {

namespace {

bool is_success(const relay::reply& said) noexcept {
    return said.code >= 200 && said.code < 300;
}

/// A reply with its line end.
class line {
public:
    explicit line(const relay::reply& of) noexcept : _size(of.view().size() + 2) {
        std::memcpy(_octets.data(), of.view().data(), of.view().size());
        _octets[_size - 2] = '\r';
        _octets[_size - 1] = '\n';
    }
    explicit line(protocol::reply own) noexcept : _size(protocol::text(own).size()) {
        std::memcpy(_octets.data(), protocol::text(own).data(), _size);
    }
    /// Where only a refusal can be meant: anything else must never look like an acceptance to the client.
    static line refusal(const relay::reply& of) noexcept {
        return of.code >= 400 ? line(of) : line(protocol::reply::busy);
    }
    std::string_view view() const noexcept { return {_octets.data(), _size}; }

private:
    std::size_t _size;
    std::array<char, std::tuple_size_v<decltype(relay::reply::text)> + 2> _octets;  // NOLINT: filled up to _size only
};
static_assert(sizeof(relay::reply::text) + 2 <= protocol::longest_passed_reply);

}  // namespace

void engine::take_event(const relay::event& e) {
    client_session* const s = _sessions.find(e.id.slot);
    if (s == nullptr || s->state == session_state::closed || s->transaction == no_block ||
        _transactions[s->transaction].relay != relay_state::open ||
        _transactions[s->transaction].relay_serial != e.id.serial) {
        _context.count.stale_events.add();
        return;
    }
    work w(_link, {.slot = e.id.slot, .serial = s->serial}, *s);
    switch (e.kind) {
        case relay::event_kind::recipient:
            recipient_answered(w, e.reply);
            break;
        case relay::event_kind::data:
            data_answered(w, e.reply);
            break;
        case relay::event_kind::credit:
            if (s->relay_behind) {
                s->relay_behind = false;
                _transactions[s->transaction].progress = 0;
                wait(w, _context.settings.timeouts.data);
                read_again(w);
            }
            break;
        case relay::event_kind::final:
            final_answered(w, e.reply);
            break;
        case relay::event_kind::aborted:
            broken_off(w, e.reply);
            break;
    }
    settle(w);
}

void engine::recipient_answered(work& w, const relay::reply& said) {
    client_session& s = w.session();
    transaction& t = _transactions[s.transaction];
    if (s.recipients.asked == 0) {
        _context.count.stale_events.add();
        return;
    }
    recipient_queue& queue = _queues[s.recipients.queue];
    std::uint32_t number = queue.first();
    while (queue[number].state != recipient_state::asked) {
        ++number;
    }
    pending_recipient& p = queue[number];
    --s.recipients.asked;
    if (is_success(said)) {
        ++t.accepted;
        _context.count.recipients_accepted.add();
    } else if (!p.listed) {
        --t.unlisted;
    }
    if (p.text != no_block) {
        // Unlisted, and to be told of: `decided` has kept its path.
        const outcome how = is_success(said)   ? outcome::would_reject
                            : said.code >= 500 ? outcome::refused_behind
                                               : outcome::unknown;
        _context.seen->add(_texts[p.text].view(), how, p.domain, w.info().peer.address);
        _texts.give(p.text);
    }
    p.text = keep(line(said).view());
    if (p.text == no_block) {
        reset_for_memory(w);
        return;
    }
    p.state = recipient_state::held;
    answer(w);
    wait(w, s.recipients.asked == 0 ? _context.settings.timeouts.idle : _context.settings.timeouts.relay);
}

void engine::data_answered(work& w, const relay::reply& said) {
    client_session& s = w.session();
    if (s.state != session_state::awaiting_data) {
        _context.count.stale_events.add();
        return;
    }
    if (said.code == 354) {
        s.state = session_state::content;
        _transactions[s.transaction].progress = 0;
        say(w, line(said).view());
    } else {
        end_transaction(w, line::refusal(said).view());
    }
    if (!w.gone()) {
        wait(w, s.state == session_state::content ? _context.settings.timeouts.data : _context.settings.timeouts.idle);
        read_again(w);
    }
}

void engine::final_answered(work& w, const relay::reply& said) {
    if (w.session().state != session_state::awaiting_final) {
        // An answer before the end of data is none to this message.
        broken_off(w, said);
        return;
    }
    if (is_success(said)) {
        _context.count.messages.add();
        end_transaction(w, line(said).view());
    } else {
        _context.count.messages_refused.add();
        end_transaction(w, line::refusal(said).view());
    }
    if (!w.gone()) {
        wait(w, _context.settings.timeouts.idle);
        read_again(w);
    }
}

/// The relay's transaction is over with `last`, and so is the session's.
void engine::end_transaction(work& w, std::string_view last) {
    _transactions[w.session().transaction].relay = relay_state::none;
    drop_transaction(w);
    say(w, last);
}

void engine::broken_off(work& w, const relay::reply& said) {
    client_session& s = w.session();
    transaction& t = _transactions[s.transaction];
    switch (s.state) {
        case session_state::awaiting_data:
        case session_state::awaiting_final:
            _context.count.messages_refused.add();
            end_transaction(w, line::refusal(said).view());
            break;
        case session_state::content:
            _context.count.messages_refused.add();
            t.relay = relay_state::broken_off;
            t.last_word = keep(line::refusal(said).view());
            t.refused_by_relay = true;
            t.progress = 0;
            s.relay_behind = false;
            s.state = session_state::swallowing;
            wait(w, _context.settings.timeouts.data);
            read_again(w);
            return;
        case session_state::transaction:
            t.relay = relay_state::broken_off;
            t.last_word = keep(line::refusal(said).view());
            s.recipients.asked = 0;
            if (s.recipients.queue != no_block) {
                recipient_queue& queue = _queues[s.recipients.queue];
                for (std::uint32_t i = queue.first(); i != queue.last(); ++i) {
                    if (queue[i].state == recipient_state::asked) {
                        queue[i].state = recipient_state::broken_off;
                    }
                }
            }
            t.unlisted = t.accepted == 0 ? 0 : t.unlisted;
            answer(w);
            break;
        case session_state::closed:
        case session_state::delayed:
        case session_state::greeted:
        case session_state::ready:
        case session_state::swallowing:
            return;
    }
    if (!w.gone()) {
        wait(w, _context.settings.timeouts.idle);
        read_again(w);
    }
}

}  // namespace postern::session
