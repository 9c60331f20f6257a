// The measured end: Postern's own shard, as the edge makes it, on one core over its end of a ring link; or the same
// loop that does nothing but swap Ethernet addresses.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "dataplane/port/device.h"
#include "dataplane/shard/counters.h"
#include "smtp/recipients/snapshot.h"
#include "smtp/session/counters.h"

namespace postern::perf::rig {

/// The processor's time stamp counter.
std::uint64_t cycles() noexcept;

/// What turns cost, in cycles of the time stamp counter. Read by any thread.
struct meter {
    shard::counter turns;
    shard::counter busy_turns;   ///< that found frames
    shard::counter busy_cycles;  ///< of those
    shard::counter frames;       ///< that came in

    void turn(std::uint64_t frames_found, std::uint64_t cost) noexcept {
        turns.add();
        if (frames_found != 0) {
            busy_turns.add();
            busy_cycles.add(cost);
            frames.add(frames_found);
        }
    }
};

struct shard_plan {
    std::uint32_t connections = 1000;  ///< at most
    std::uint32_t time_wait = 262'144;
};

/// One shard with sessions over the packet path.
class postern_side {
public:
    /// All outlives the shard. Throws if memory is missing.
    postern_side(port::device& device, const shard_plan& plan, const std::atomic<const recipients::snapshot*>& table);
    ~postern_side();
    postern_side(const postern_side&) = delete;
    postern_side& operator=(const postern_side&) = delete;

    /// Turns until told to stop; on a thread of its own.
    void run(const std::atomic<bool>& stop);
    /// One turn, for a caller whose thread DPDK knows: generator and shard in step on one thread, so that a run is the
    /// same instruction by instruction.
    [[gnu::noinline]] void turn();

    const rig::meter& meter() const noexcept;
    const session::counters& sessions() const noexcept;
    /// Counters of the packet path by name, when the shard rests.
    void each_count(const std::function<void(std::string_view, std::uint64_t)>& see) const;
    /// When the shard rests: connections, octets of lent blocks, and whether all that is kept agrees with itself.
    std::size_t connections() const noexcept;
    std::size_t buffered() const noexcept;
    bool consistent() const noexcept;

private:
    struct parts;
    std::unique_ptr<parts> _parts;
};

/// The loop of a shard that sends every frame back.
class macswap_side {
public:
    explicit macswap_side(port::device& device) : _queue(device.queue_at(0)) {}
    void run(const std::atomic<bool>& stop);
    const rig::meter& meter() const noexcept { return _meter; }

private:
    port::queue _queue;
    rig::meter _meter;
};

}  // namespace postern::perf::rig
