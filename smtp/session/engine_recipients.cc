// The engine's recipients: looked up in the turn's batch, decided, passed to the relay, answered in order.
#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "smtp/session/engine_steps.h"

namespace postern::session {

namespace {

using protocol::reply;

/// The number of a recipient that is looked up without a queue: the first one's, should it get a queue after all.
constexpr std::uint32_t alone = 0;

/// The id of a message's trace line: the start's seed and the transaction's number, in hex.
std::array<char, 17> message_id(std::uint32_t seed, std::uint32_t serial) noexcept {
    constexpr std::string_view digits = "0123456789abcdef";
    std::array<char, 17> id{};
    for (unsigned i = 0; i < 8; ++i) {
        const unsigned shift = 28 - 4 * i;
        id[i] = digits[(seed >> shift) & 15U];
        id[9 + i] = digits[(serial >> shift) & 15U];
    }
    id[8] = '-';
    return id;
}

relay::body_type relayed(protocol::body_type body) noexcept {
    switch (body) {
        case protocol::body_type::seven_bit:
            return relay::body_type::seven_bit;
        case protocol::body_type::eight_bit_mime:
            return relay::body_type::eight_bit_mime;
        case protocol::body_type::unspecified:
            break;
    }
    return relay::body_type::unspecified;
}

void answer_with(pending_recipient& p, reply with) noexcept {
    p.state = recipient_state::answered;
    p.reply = with;
}

outcome outcome_of(const recipients::verdict& verdict, const decision& d) noexcept {
    if (verdict.standing != recipients::standing::unlisted) {
        return outcome::listed;
    }
    switch (d.why) {
        case reason::unknown_deferred:
            return outcome::deferred;
        case reason::unknown:
            return outcome::rejected;
        case reason::unknown_passed:
        case reason::listed:
        case reason::always:
        case reason::grace_deferred:
        case reason::from_outside:
        case reason::not_served:
        case reason::literal:
        case reason::on_hold:
        case reason::no_route:
        case reason::route_not_confirmed:
        case reason::no_table:
            break;
    }
    return outcome::unknown;
}

/// What the relay is told of the list's word.
relay::list_word word_on(const pending_recipient& p, const recipients::verdict& verdict) noexcept {
    return {.listed = p.listed,
            .in_table = verdict.standing == recipients::standing::listed,
            .discovers = !p.listed && verdict.domain->mode == recipients::mode::discover,
            .domain = p.domain};
}

}  // namespace

void engine::count(const decision& d) {
    counters& count = _context.count;
    switch (d.why) {
        case reason::listed:
        case reason::always:
            break;
        case reason::unknown_passed:
            count.would_reject.add();
            break;
        case reason::unknown:
            count.recipients_invalid.add();
            break;
        case reason::unknown_deferred:
            count.recipients_deferred.add();
            break;
        case reason::grace_deferred:
            count.recipients_grace_deferred.add();
            break;
        case reason::from_outside:
            count.recipients_from_outside.add();
            break;
        case reason::not_served:
        case reason::literal:
            count.recipients_not_served.add();
            break;
        case reason::on_hold:
            count.recipients_on_hold.add();
            break;
        case reason::no_route:
        case reason::route_not_confirmed:
            count.recipients_no_route.add();
            break;
        case reason::no_table:
            count.recipients_no_table.add();
            break;
    }
}

/// Whether another recipient can wait for its answer. To one that is looked up alone a queue is given for that.
bool engine::make_place(client_session& s) {
    if (s.recipients.queue == no_block) {
        return s.recipients.unresolved == 0 || open_queue(s);
    }
    return !_queues[s.recipients.queue].full();
}

/// Precondition: the transaction has no queue. False: there is none to be had.
bool engine::open_queue(client_session& s) {
    s.recipients.queue = _queues.take();
    if (s.recipients.queue == no_block) {
        return false;
    }
    recipient_queue& queue = _queues[s.recipients.queue];
    queue.clear();
    if (s.recipients.unresolved != 0) {
        queue.push();
    }
    return true;
}

/// Precondition: `make_place`.
engine::step engine::refuse_recipient(work& w, reply with) {
    open_recipients& r = w.session().recipients;
    r.tried = true;
    w.complete();
    if (r.queue == no_block) {
        answer_alone(w, with);
        return w.gone() ? step::gone : step::taken;
    }
    recipient_queue& queue = _queues[r.queue];
    answer_with(queue[queue.push()], with);
    return step::taken;
}

inline void engine::look_up(work& w, std::string_view path, std::uint32_t transaction, std::uint32_t number) {
    if (_batch.full()) {
        w.commit();  // this connection may be among those that are answered
        resolve();
    }
    const std::size_t cookie = _batch.size();
    if (cookie == 0) {
        _paths_used = 0;
    }
    char* const kept = _paths.get() + _paths_used;
    std::memcpy(kept, path.data(), path.size());
    _paths_used += path.size();
    _lookups[cookie] = {
        .connection = w.connection(), .transaction = transaction, .number = number, .path = {kept, path.size()}};
    _batch.add(*_snapshot, _address, cookie);
}

/// Precondition: `make_place`.
engine::step engine::recipient(work& w, std::string_view path) {
    open_recipients& r = w.session().recipients;
    if (_snapshot == nullptr || _address.is_literal()) {
        if (const auto unseen = decide_unseen(_snapshot, _address, _context.settings)) {
            count(*unseen);
            return refuse_recipient(w, unseen->reply);
        }
    }
    if (_address.is_bare_postmaster()) {
        if (r.unresolved != 0) {
            return step::stalled;  // its decision depends on those before it
        }
        return postmaster(w, path);
    }
    // Most come one at a time, are refused at the turn's end, and need no queue for that.
    const std::uint32_t number = r.queue == no_block ? alone : _queues[r.queue].push();
    r.tried = true;
    ++r.unresolved;
    look_up(w, path, r.serial, number);
    return step::taken;
}

engine::step engine::postmaster(work& w, std::string_view path) {
    client_session& s = w.session();
    open_recipients& r = s.recipients;
    if (r.queue == no_block && !open_queue(s)) {
        return refuse_recipient(w, reply::out_of_space);
    }
    r.tried = true;
    ++r.unresolved;
    decided(w, _queues[r.queue].push(), path, postmaster_verdict(*_snapshot, _context.settings));
    answer(w);
    return step::taken;
}

void engine::resolve() {
    if (_batch.size() == 0) {
        return;
    }
    const auto answers = _batch.resolve();
    for (std::size_t i = 0; i < answers.size();) {
        // The lookups of one connection stand together: it is answered once for all of them.
        const shard::connection c = _lookups[answers[i].cookie].connection;
        const auto is_of_c = [&] { return i < answers.size() && _lookups[answers[i].cookie].connection == c; };
        client_session* const s = find(c);
        if (s == nullptr) {
            while (is_of_c()) {
                ++i;
            }
            continue;
        }
        work w(_link, c, *s);
        for (; is_of_c(); ++i) {
            const lookup& of = _lookups[answers[i].cookie];
            if (s->recipients.serial == of.transaction) {
                decided(w, of.number, of.path, answers[i].verdict);
            }
        }
        answer(w);
        settle(w);
    }
}

void engine::decided(work& w, std::uint32_t number, std::string_view path, const recipients::verdict& verdict) {
    client_session& s = w.session();
    open_recipients& r = s.recipients;
    counters& counted = _context.count;
    counted.generation.set(std::max(counted.generation.get(), verdict.generation));
    const std::uint32_t domain = verdict.domain == nullptr ? 0 : verdict.domain->id;
    const bool told = _context.seen != nullptr && verdict.domain != nullptr;

    const auto& peer = w.info().peer.address;
    const decision d = decide(verdict, peer);
    count(d);
    const bool said = r.queue == no_block && !d.pass && w.say_now(protocol::text(d.reply));
    const bool waits = !said && (r.queue != no_block || open_queue(s));
    --r.unresolved;
    if (!waits) {
        if (told) {
            _context.seen->add(path, outcome_of(verdict, d), domain, peer);
        }
        if (said) {
            counted.recipients.add();
        } else {
            answer_alone(w, d.pass ? reply::out_of_space : d.reply);
        }
        if (!w.gone()) {
            read_again(w);
        }
        return;
    }
    pending_recipient& p = _queues[r.queue][number];
    p.domain = domain;
    if (d.pass) {
        p.listed = d.listed;
        pass_on(w, p, path, verdict);
    } else {
        answer_with(p, d.reply);
    }
    if (!told) {
        return;
    }
    if (d.pass && !d.listed && p.state == recipient_state::asked) {
        // Whether it would be missed if it were rejected, the mail server says. There are few of these: the relay
        // bounds them for each server.
        p.text = keep(path);
    }
    if (p.text == no_block) {
        _context.seen->add(path, outcome_of(verdict, d), domain, peer);
    }
}

/// Answers the one recipient of a transaction that has no queue.
void engine::answer_alone(work& w, reply with) {
    _context.count.recipients.add();
    say(w, protocol::text(with));
}

/// Whether a recipient may go to `on` in this transaction: `reply::ok`, or why not.
reply engine::place(work& w, const recipients::route& on, bool listed) {
    const client_session& s = w.session();
    const transaction& t = _transactions[s.transaction];
    const std::uint32_t live = t.accepted + s.recipients.asked;
    const settings& under = _context.settings;
    if (live != 0 && t.route != on.id) {
        _context.count.recipients_other_route.add();
        return reply::other_route;
    }
    const bool own_limit = t.path_size == 0 && under.null_sender_recipients != 0;
    if (live >= (own_limit ? under.null_sender_recipients : under.recipient_limit)) {
        _context.count.recipients_too_many.add();
        return reply::too_many_recipients;
    }
    if (live != 0 && (t.catch_all || on.catch_all) && (!listed || t.unlisted != 0)) {
        _context.count.recipients_apart.add();
        return reply::one_recipient;
    }
    return reply::ok;
}

void engine::pass_on(work& w, pending_recipient& p, std::string_view path, const recipients::verdict& verdict) {
    const std::shared_ptr<const recipients::route>& route = *verdict.route;
    client_session& s = w.session();
    transaction& t = _transactions[s.transaction];
    if (t.relay == relay_state::broken_off && (t.accepted != 0 || t.route == route->id)) {
        p.state = recipient_state::broken_off;
        return;
    }
    if (const reply refusal = place(w, *route, p.listed); refusal != reply::ok) {
        answer_with(p, refusal);
        return;
    }
    if (t.relay == relay_state::open && t.route != route->id) {
        // Nobody was accepted there, so nothing is lost by turning to another server.
        _context.relay.abandon({.slot = w.connection().slot, .serial = t.relay_serial});
        t.relay = relay_state::none;
    }
    if (t.relay != relay_state::open && !open_relay(w, route)) {
        answer_with(p, reply::busy);
        return;
    }
    p.state = recipient_state::asked;
    ++s.recipients.asked;
    t.unlisted += p.listed ? 0 : 1;
    _context.count.recipients_passed.add();
    _context.relay.recipient({.slot = w.connection().slot, .serial = t.relay_serial}, path, word_on(p, verdict));
    wait(w, _context.settings.timeouts.relay);
}

bool engine::open_relay(work& w, const std::shared_ptr<const recipients::route>& route) {
    const client_session& s = w.session();
    transaction& t = _transactions[s.transaction];
    _texts.give(t.last_word);
    t.relay = relay_state::none;
    t.relay_serial = next_serial();
    t.route = route->id;
    t.catch_all = route->catch_all;
    const auto id = message_id(_context.id_seed, t.relay_serial);
    const relay::envelope envelope{
        .reverse_path =
            t.long_path != no_block ? _texts[t.long_path].view() : std::string_view{t.path.data(), t.path_size},
        .declared_size = t.declared_size,
        .body = relayed(t.body),
        .helo = s.long_name != no_block ? _texts[s.long_name].view() : std::string_view{s.name.data(), s.name_size},
        .extended = s.extended,
        .client = w.info().peer,
        .message_id = {id.data(), id.size()},
    };
    if (!_context.relay.begin({.slot = w.connection().slot, .serial = t.relay_serial}, route, envelope)) {
        return false;
    }
    t.relay = relay_state::open;
    return true;
}

std::string_view engine::last_word(const transaction& t) {
    return t.last_word == no_block ? protocol::text(reply::busy) : _texts[t.last_word].view();
}

void engine::answer_waiting(work& w) {
    client_session& s = w.session();
    recipient_queue& queue = _queues[s.recipients.queue];
    const bool was_full = queue.full();
    for (; !queue.empty(); queue.pop()) {
        pending_recipient& p = queue[queue.first()];
        std::string_view line;
        switch (p.state) {
            case recipient_state::looking_up:
            case recipient_state::asked:
                break;
            case recipient_state::answered:
                line = protocol::text(p.reply);
                break;
            case recipient_state::held:
                line = _texts[p.text].view();
                break;
            case recipient_state::broken_off:
                line = last_word(_transactions[s.transaction]);
                break;
        }
        // Room for those behind it as well, if they are likely to be as long.
        const std::size_t together = std::min(protocol::longest_reply, queue.size() * line.size());
        if (line.empty() || !w.ensure(line.size(), together)) {
            break;
        }
        w.put(line);
        _texts.give(p.text);
        _context.count.recipients.add();
    }
    if (queue.empty()) {
        release_queue(s);
        read_again(w);
    } else if (was_full && !queue.full()) {
        read_again(w);
    }
}

}  // namespace postern::session
