// The kernel's twin of a port: a TAP device with the port's own Ethernet address, IP addresses and gateways, through
// which this machine's kernel speaks and is spoken to beside Postern. What is not Postern's goes to it, and its frames
// leave by the port, so that mail servers, DNS and ssh are reached through the port that receives mail.
//
//     auto made = twin::open(settings);            // while the process may still make devices
//     made->start(waker of shard 0);               // a thread of its own: the shards make no system calls
//     … shards: give; shard 0: take, and sends it
//     made->stop();
//
// Buffers cross by rings, one for each shard and one back; what a full ring does not take is dropped and counted.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <tl/expected.hpp>
#include <vector>

#include "board/process/files.h"
#include "dataplane/net/interface.h"
#include "dataplane/port/frame_ring.h"
#include "dataplane/shard/counters.h"
#include "dataplane/shard/eventfd_waker.h"

namespace postern::port {

struct twin_settings {
    std::string name;                 ///< of the kernel's device
    net::interface_settings network;  ///< the port's, with its MAC
    unsigned shards = 1;
};

/// The twin's thread counts; what its rings did not take is the shards' to count.
struct twin_counts {
    shard::counter to_kernel;
    shard::counter from_kernel;
    shard::counter refused;    ///< frames that the kernel did not take
    shard::counter no_buffer;  ///< frames of the kernel's that found no buffer
    shard::counter no_room;    ///< frames of the kernel's that the port's shard was too slow for

    template <class F>
    void for_each(F&& f) const {
        f("to_kernel", to_kernel.value());
        f("from_kernel", from_kernel.value());
        f("refused", refused.value());
        f("no_buffer", no_buffer.value());
        f("no_room", no_room.value());
    }
};

class twin {
public:
    /// Frames that wait in one ring at most.
    static constexpr unsigned room = 511;

    /// Makes the device. `pool` is for the kernel's frames and outlives the twin.
    static tl::expected<std::unique_ptr<twin>, std::string> open(const twin_settings& settings, rte_mempool* pool);
    ~twin();
    twin(const twin&) = delete;
    twin& operator=(const twin&) = delete;

    /// Starts the thread; `shard_0` outlives it. Throws std::system_error.
    void start(shard::waker& shard_0);
    /// Once no shard gives or takes any more.
    void stop() noexcept;

    /// On the shard's thread: the frame is the kernel's. False: its ring is full, the frame stays the caller's. After
    /// some: `wake`.
    bool give(unsigned shard, rte_mbuf* frame) noexcept { return _to_kernel[shard].push(&frame, 1) == 1; }
    void wake() noexcept { _waker.wake(); }
    /// On shard 0's thread: up to `most` frames of the kernel's, whole and tagged as the port is.
    unsigned take(rte_mbuf** frames, unsigned most) noexcept { return _to_wire.pop(frames, most); }
    bool waiting() const noexcept { return !_to_wire.empty(); }

    const twin_counts& counts() const noexcept { return _counts; }

private:
    twin(const twin_settings& settings, process::descriptor device, rte_mempool* pool);
    void run();
    bool pass_to_kernel() noexcept;
    bool take_from_kernel() noexcept;
    void write(rte_mbuf* frame) noexcept;
    bool anything_waits() const noexcept;

    process::descriptor _device;
    rte_mempool* _pool;
    net::vlan_id _vlan;
    std::vector<frame_ring> _to_kernel;  ///< one a shard
    frame_ring _to_wire{room};
    shard::eventfd_waker _waker;
    shard::waker* _shard_0 = nullptr;
    std::atomic<bool> _ends{false};
    std::thread _thread;
    twin_counts _counts;
};

}  // namespace postern::port
