// Frames on their way between the shards of one port: a ring for every pair of them, and what wakes a sleeper.
//
// A frame that arrived on another shard's queue is given to that shard (`give`), and with it its buffer. A shard that
// has no transmit queue of its own gives its frames to one that has (`give_to_send`). Nobody waits: what a full ring
// does not take stays the giver's, who drops and counts it.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "dataplane/port/frame_ring.h"
#include "dataplane/shard/eventfd_waker.h"

namespace postern::port {

class hand_over {
public:
    /// Frames that wait in one ring at most: what comes in within a hundred bursts.
    static constexpr unsigned room = 511;

    /// Of them the first `queues` shards have queues of the device. Throws std::bad_alloc, std::system_error.
    hand_over(unsigned shards, unsigned queues);

    unsigned shards() const noexcept { return static_cast<unsigned>(_wakers.size()); }
    bool has_queue(unsigned shard) const noexcept { return shard < _queues; }
    /// Whose queue a shard's frames leave by.
    unsigned sender_of(unsigned shard) const noexcept { return shard % _queues; }

    /// On the thread of `from`: how many of the frames `to` took; it is woken.
    unsigned give(unsigned from, unsigned to, rte_mbuf* const* frames, unsigned n) noexcept;
    /// On the thread of `to`: up to `most` frames of all the others.
    unsigned take(unsigned to, rte_mbuf** frames, unsigned most) noexcept;

    /// On the thread of `from`, which has no queue: how many of the frames its sender took; it is woken.
    unsigned give_to_send(unsigned from, rte_mbuf* const* frames, unsigned n) noexcept;
    unsigned take_to_send(unsigned sender, rte_mbuf** frames, unsigned most) noexcept;

    /// Whether anything waits for this shard.
    bool waiting(unsigned shard) const noexcept;
    shard::eventfd_waker& waker(unsigned shard) noexcept { return *_wakers[shard]; }

    /// The end is everybody's: a shard whose connections are gone still serves the others with its queue. On the
    /// shard's thread: whether it is done. True: all are.
    bool all_done(unsigned shard, bool done) noexcept;

private:
    frame_ring& between(unsigned from, unsigned to) noexcept { return _rings[to * shards() + from]; }

    unsigned _queues;
    std::vector<std::atomic<bool>> _done;
    std::vector<std::unique_ptr<shard::eventfd_waker>> _wakers;
    std::vector<frame_ring> _rings;    ///< by receiver, then giver; a shard's own is there and unused
    std::vector<frame_ring> _to_send;  ///< of the shards without a queue
};

}  // namespace postern::port
