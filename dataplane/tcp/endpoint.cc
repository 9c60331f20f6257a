#include "dataplane/tcp/endpoint.h"

#include <algorithm>

#include "dataplane/tcp/endpoint_steps.h"

namespace postern::tcp {
namespace {

constexpr std::uint32_t most_window = 192 * 1024;
constexpr std::uint16_t least_mtu = 576;

settings bounded(settings s) noexcept {
    s.connections = std::max(s.connections, 1U);
    s.receive_window = std::clamp(s.receive_window, 2048U, most_window);
    s.output_limit = std::max(s.output_limit, 2 * shard::block_pool::large_room);
    s.mtu = std::max(s.mtu, least_mtu);
    s.rto_initial = std::max(s.rto_initial, s.rto_least);
    return s;
}

}  // namespace

endpoint::endpoint(std::span<const listener> listeners, shard::connection_limits& limits, segment_sink& sink,
                   const settings& s, const secrets& keys, shard::instant now)
    : _settings(bounded(s)),
      _listeners(listeners.begin(), listeners.end()),
      _limits(limits),
      _sink(sink),
      _keys(keys),
      _cookies(keys),
      _now(now),
      _milliseconds(timestamp_clock(now)),
      _wheel(now),
      _resends(_settings.connections),
      _resends_again(_settings.connections),
      _pool(_settings.buffers),
      _table(_settings.connections),
      _time_wait(_settings.time_wait, _settings.time_wait_time),
      _resets(keys.cookie, _settings.resets_per_second),
      _connections(_settings.connections),
      _unsent(_settings.connections),
      _flushed(_settings.connections) {}

endpoint::~endpoint() {
    for (std::uint32_t slot = 0; slot < _slots; ++slot) {
        if (_connections[slot].h.now != state::free) {
            release(at(slot));
        }
    }
}

void endpoint::begin_turn(shard::instant now) noexcept {
    _now = now;
    _milliseconds = timestamp_clock(now);
    _counts.turns.add();
    _time_wait.expire(now);
    for (const std::uint32_t slot : _ready) {
        _connections[slot].h.clear(mark::in_ready);
        queue_now(at(slot));
    }
    _ready.clear();
}

void endpoint::prepare(std::span<const segment> burst, std::uint64_t* keys) const noexcept {
    hashes_of(_keys.table, burst, keys);
}

std::uint32_t endpoint::find_slot(const shard::endpoint& peer, const shard::endpoint& local,
                                  std::uint64_t key) const noexcept {
    return _table.find(key, [&](std::uint32_t slot) {
        const shard::connection_info& i = _connections[slot].c.info;
        return i.peer == peer && i.local == local;
    });
}

/// The long way of a segment, which `probably` was tried for.
void endpoint::input_by_table(const segment& s, std::uint64_t key, std::uint32_t probably) {
    const std::uint32_t slot = find_slot(s.peer, s.local, key);
    if (slot == no_slot) {
        no_connection(s, key);
    } else if (_connections[slot].h.now == state::syn_received) {
        half_open_arrived(at(slot), s, key);
    } else if (const conn k = at(slot); slot == probably || !usual_segment(k, s)) {
        synchronised_arrived(k, s);
    }
}

void endpoint::input(const segment& s) {
    input(s, hash_of(_keys.table, s.peer, s.local), no_slot);
}

void endpoint::input_done() {
    for (const std::uint32_t slot : _fresh) {
        if (_connections[slot].h.is(mark::fresh)) {
            queue_now(at(slot));
        }
    }
    _fresh.clear();
}

bool endpoint::take_slot(std::uint32_t& slot) noexcept {
    if (_free.empty()) {
        if (_slots == _settings.connections) {
            _counts.no_slot.add();
            return false;
        }
        slot = _slots++;
        _connections.make(slot);
    } else {
        slot = _free.back();
        _free.pop_back();
        const hot_state before = _connections[slot].h;
        const std::uint32_t in_resends = _connections[slot].c.in_resends;
        connection_slot& made = _connections.make(slot);
        made.h.serial = before.serial;
        made.h.marks = before.marks & mark::of_slot;
        made.c.in_resends = in_resends & 1U;
    }
    _connections[slot].c.slot = slot & INT32_MAX;
    hot_state& h = _connections[slot].h;
    h.serial = h.serial + 1 == 0 ? 1 : h.serial + 1;
    ++_used;
    return true;
}

void endpoint::give_back_input(conn k) noexcept {
    while (k.h.input != nullptr) {
        block* const next = k.h.input->next;
        if (k.h.input != _offered_block) {
            _pool.give_back(k.h.input);
        }
        k.h.input = next;
    }
}

void endpoint::give_back_output(conn k) noexcept {
    while (k.c.output != nullptr) {
        block* const next = k.c.output->next;
        _pool.give_back(k.c.output);
        k.c.output = next;
    }
    k.c.output_last = nullptr;
    k.c.output_room = 0;
}

void endpoint::leave_table(conn k) noexcept {
    _table.erase(hash_of(_keys.table, k.c.info.peer, k.c.info.local), k.c.slot);
}

/// Nobody speaks of the connection any more: everything it holds comes free.
void endpoint::release(conn k) noexcept {
    if (k.h.now == state::syn_received) {
        --_half_open;
    }
    if (!k.h.is(mark::broken)) {
        leave_table(k);
    }
    _wheel.cancel(k.c);
    give_back_input(k);
    give_back_output(k);
    drop_early(k);
    if (k.h.is(mark::counted)) {
        _limits.leave(k.c.info.listener, k.c.info.peer);
    }
    k.h.now = state::free;
    k.h.clear(mark::open | mark::fresh | mark::broken | mark::counted);
    --_used;
    _free.push_back(k.c.slot);
}

/// The connection is gone, and the layer, if it knows it, is to be told.
void endpoint::break_off(conn k) noexcept {
    if (!k.h.is(mark::open) || k.h.is(mark::fresh)) {
        release(k);
        return;
    }
    leave_table(k);
    k.h.set(mark::broken);
    _wheel.cancel(k.c);
    k.c.deadline = k.c.resend_at = k.c.ack_at = shard::never;
    give_back_input(k);
    give_back_output(k);
    drop_early(k);
    k.h.snd_una = k.h.snd_nxt = k.h.snd_max;
    queue_next(k);
}

shard::admission endpoint::admission_of(shard::connection c) const noexcept {
    return _connections[c.slot].c.word;
}

bool endpoint::consistent() const noexcept {
    auto& self = const_cast<endpoint&>(*this);
    std::size_t used = 0;
    std::size_t half_open = 0;
    std::size_t early = 0;
    std::size_t lent = 0;
    std::size_t in_resends = 0;
    for (std::uint32_t slot = 0; slot < _slots; ++slot) {
        const conn k = self.at(slot);
        in_resends += k.c.in_resends;
        if (k.h.now == state::free) {
            if (k.h.input != nullptr || k.c.output != nullptr || k.c.early != nullptr) {
                return false;
            }
            continue;
        }
        ++used;
        half_open += k.h.now == state::syn_received ? 1 : 0;
        std::size_t room = 0;
        for (const block* b = k.c.output; b != nullptr; b = b->next) {
            room += b->room;
            lent += sizeof(block) + b->room;
            if (b->next == nullptr && b != k.c.output_last) {
                return false;
            }
        }
        for (const block* b = k.h.input; b != nullptr; b = b->next) {
            lent += sizeof(block) + b->room;
        }
        early += k.c.early == nullptr ? 0 : k.c.early->held();
        if (k.h.is(mark::broken)) {
            continue;
        }
        const std::uint32_t whole = queued(k) + (k.h.now == state::syn_received ? 1 : 0) +
                                    (k.h.is(mark::fin_sent) && k.h.now != state::fin_wait_2);
        const bool ok =
            room == k.c.output_room && seq_le(k.h.snd_una, k.h.snd_nxt) && seq_le(k.h.snd_nxt, k.h.snd_max) &&
            k.h.snd_max - k.h.snd_una <= whole && k.h.window_left() <= most_window + (1U << 14) &&
            k.c.offered <= held(k) && k.h.is(mark::early) == (k.c.early != nullptr) &&
            find_slot(k.c.info.peer, k.c.info.local, hash_of(_keys.table, k.c.info.peer, k.c.info.local)) == slot &&
            (k.h.snd_una == k.h.snd_max || k.c.resend_at != shard::never) &&
            (k.c.in_resends != 0 || k.c.resend_at >= k.c.due());
        if (!ok) {
            return false;
        }
    }
    return used == _used && half_open == _half_open && early == _early_held && lent + early == _pool.lent() &&
           in_resends == _resends.size() + _resends_again.size() && used + _free.size() == _slots;
}

}  // namespace postern::tcp
