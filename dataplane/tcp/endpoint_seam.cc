// What the session layer calls: reply space, deadlines, the end.
#include <algorithm>

#include "dataplane/tcp/endpoint_steps.h"

namespace postern::tcp {
namespace {

/// The first block of a connection fits the request, for most turns' replies are short; later ones are large.
/// `waiting`: octets of blocks that it has. Slabs that wait for their ACK do not make a short reply borrow a large
/// block.
constexpr std::size_t room_to_borrow(std::size_t waiting, std::size_t n) noexcept {
    using pool = shard::block_pool;
    if (waiting == 0 && n <= pool::slab_room) {
        return pool::slab_room;
    }
    return waiting <= pool::small_room && n <= pool::small_room ? pool::small_room : pool::large_room;
}

}  // namespace

bool endpoint::has_room(conn k, std::size_t n) const noexcept {
    if (k.c.output_last != nullptr && k.c.output_last->tail().size() >= n) {
        return true;
    }
    const std::size_t room = room_to_borrow(k.c.output_room, n);
    return k.c.output_room + room <= _settings.output_limit && _pool.can_lend(room);
}

/// A block behind those that the connection has, the last of which has no such room.
std::span<char> endpoint::reserve_block(conn k, std::size_t n) noexcept {
    if (k.c.output != nullptr && k.c.output == k.c.output_last && k.c.output->size() == 0) {
        give_back_output(k);  // as if there were none: it would stand in front of the reply
    }
    const std::size_t room = room_to_borrow(k.c.output_room, n);
    block* const b = k.c.output_room + room > _settings.output_limit ? nullptr
                     : room == shard::block_pool::slab_room          ? _pool.borrow_slab()
                                                                     : _pool.borrow(room);
    if (b == nullptr) {
        k.c.waits_for = static_cast<std::uint32_t>(std::max<std::size_t>(n, 1));
        wait_for_room(k);
        return {};
    }
    (k.c.output == nullptr ? k.c.output : k.c.output_last->next) = b;
    k.c.output_last = b;
    k.c.output_room += b->room;
    mark_unsent(k);
    return b->tail();
}

/// A connection whose own limit is not the reason waits for blocks that other connections give back.
void endpoint::wait_for_room(conn k) noexcept {
    if (k.c.output_room + shard::block_pool::large_room <= _settings.output_limit && !k.h.is(mark::in_starved)) {
        _counts.no_reply_buffer.add();
        k.h.set(mark::in_starved);
        _starved.push_back(k.c.slot);
    }
}

void endpoint::want_read(shard::connection id, bool yes) noexcept {
    std::uint32_t slot = 0;
    if (!find_counted(id, slot) || _connections[slot].h.is(mark::broken)) {
        return;
    }
    const conn k = at(slot);
    k.h.put(mark::wants, yes);
    if (yes) {
        k.h.set(mark::offer_again);
    }
    if (wants_service(k)) {
        queue_next(k);
    }
}

void endpoint::set_deadline(shard::connection id, shard::instant when) noexcept {
    std::uint32_t slot = 0;
    if (find_counted(id, slot) && !_connections[slot].h.is(mark::broken)) {
        const conn k = at(slot);
        k.c.deadline = when;
        rearm(k);
    }
}

void endpoint::finish(shard::connection id) noexcept {
    std::uint32_t slot = 0;
    if (!find_counted(id, slot)) {
        return;
    }
    const conn k = at(slot);
    _counts.finished.add();
    if (k.h.is(mark::broken)) {
        release(k);
        return;
    }
    k.h.clear(mark::open);
    k.h.set(mark::fin_wanted);
    k.c.waits_for = 0;
    k.c.offered = 0;
    give_back_input(k);
    drop_early(k);
    k.c.deadline = _now < shard::never - _settings.unsent_time ? _now + _settings.unsent_time : shard::never;
    rearm(k);
    mark_unsent(k);
}

void endpoint::abort(shard::connection id) noexcept {
    std::uint32_t slot = 0;
    if (find_counted(id, slot)) {
        const conn k = at(slot);
        _counts.aborted.add();
        if (!k.h.is(mark::broken)) {
            send_reset(k);
        }
        release(k);
    }
}

const shard::connection_info& endpoint::info(shard::connection c) const noexcept {
    static const shard::connection_info none;
    return c.slot < _slots && _connections[c.slot].h.serial == c.serial ? _connections[c.slot].c.info : none;
}

}  // namespace postern::tcp
