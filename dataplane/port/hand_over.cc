#include "dataplane/port/hand_over.h"

#include <algorithm>

namespace postern::port {

hand_over::hand_over(unsigned shards, unsigned queues) : _queues(queues), _done(shards) {
    for (unsigned i = 0; i < shards; ++i) {
        _wakers.push_back(std::make_unique<shard::eventfd_waker>());
    }
    _rings.reserve(std::size_t{shards} * shards);
    for (unsigned i = 0; i < shards * shards; ++i) {
        _rings.emplace_back(i % shards == i / shards ? 1 : room);
    }
    _to_send.reserve(shards - queues);
    for (unsigned i = queues; i < shards; ++i) {
        _to_send.emplace_back(room);
    }
}

unsigned hand_over::give(unsigned from, unsigned to, rte_mbuf* const* frames, unsigned n) noexcept {
    const unsigned taken = between(from, to).push(frames, n);
    _wakers[to]->wake();
    return taken;
}

unsigned hand_over::take(unsigned to, rte_mbuf** frames, unsigned most) noexcept {
    unsigned taken = 0;
    for (unsigned from = 0; from < shards(); ++from) {
        taken += between(from, to).pop(frames + taken, most - taken);
    }
    return taken;
}

unsigned hand_over::give_to_send(unsigned from, rte_mbuf* const* frames, unsigned n) noexcept {
    const unsigned taken = _to_send[from - _queues].push(frames, n);
    _wakers[sender_of(from)]->wake();
    return taken;
}

unsigned hand_over::take_to_send(unsigned sender, rte_mbuf** frames, unsigned most) noexcept {
    unsigned taken = 0;
    for (unsigned from = _queues; from < shards(); ++from) {
        if (sender_of(from) == sender) {
            taken += _to_send[from - _queues].pop(frames + taken, most - taken);
        }
    }
    return taken;
}

bool hand_over::waiting(unsigned shard) const noexcept {
    for (unsigned from = 0; from < shards(); ++from) {
        if (!_rings[shard * shards() + from].empty()) {
            return true;
        }
    }
    for (unsigned from = _queues; from < shards(); ++from) {
        if (sender_of(from) == shard && !_to_send[from - _queues].empty()) {
            return true;
        }
    }
    return false;
}

bool hand_over::all_done(unsigned shard, bool done) noexcept {
    const bool news = _done[shard].exchange(done, std::memory_order_acq_rel) != done;
    const bool all = std::all_of(_done.begin(), _done.end(),
                                 [](const std::atomic<bool>& each) { return each.load(std::memory_order_acquire); });
    if (all && news) {
        for (const auto& waker : _wakers) {
            waker->wake();
        }
    }
    return all;
}

}  // namespace postern::port
