#include "dataplane/port/twin.h"

#include <poll.h>
#include <pthread.h>
#include <rte_ether.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>

#include "dataplane/port/environment.h"
#include "dataplane/port/kernel_link.h"

namespace postern::port {
namespace {

constexpr unsigned burst = 32;
constexpr std::size_t most_parts = 64;  // of a chained frame

}  // namespace

tl::expected<std::unique_ptr<twin>, std::string> twin::open(const twin_settings& settings, rte_mempool* pool) {
    auto device = make_kernel_link(settings.name, settings.network);
    if (!device) {
        return tl::unexpected("the kernel's twin of the port: " + device.error());
    }
    return std::unique_ptr<twin>(new twin(settings, std::move(*device), pool));
}

twin::twin(const twin_settings& settings, process::descriptor device, rte_mempool* pool)
    : _device(std::move(device)), _pool(pool), _vlan(settings.network.vlan) {
    _to_kernel.reserve(settings.shards);
    for (unsigned i = 0; i < settings.shards; ++i) {
        _to_kernel.emplace_back(room);
    }
}

twin::~twin() {
    stop();
}

void twin::start(shard::waker& shard_0) {
    _shard_0 = &shard_0;
    _thread = std::thread([this] {
        ::pthread_setname_np(::pthread_self(), "kernel-twin");
        run();
    });
}

void twin::stop() noexcept {
    if (_thread.joinable()) {
        _ends.store(true, std::memory_order_release);
        _waker.wake();
        _thread.join();
    }
}

void twin::run() {
    const registered_thread registered(registered_thread::signals::blocked);
    while (!_ends.load(std::memory_order_acquire)) {
        const bool passed = pass_to_kernel();
        if (take_from_kernel() || passed) {
            continue;
        }
        _waker.announce();
        if (!anything_waits() && !_ends.load(std::memory_order_acquire)) {
            std::array<pollfd, 2> bells{pollfd{_device.get(), POLLIN, 0}, pollfd{_waker.descriptor(), POLLIN, 0}};
            if (::poll(bells.data(), bells.size(), -1) > 0 && bells[1].revents != 0) {
                _waker.hush();
            }
        }
        _waker.woken();
    }
}

bool twin::anything_waits() const noexcept {
    for (const frame_ring& ring : _to_kernel) {
        if (!ring.empty()) {
            return true;
        }
    }
    return false;
}

bool twin::pass_to_kernel() noexcept {
    bool any = false;
    for (frame_ring& ring : _to_kernel) {
        std::array<rte_mbuf*, burst> frames;  // NOLINT: filled below
        const unsigned n = ring.pop(frames.data(), burst);
        for (unsigned i = 0; i < n; ++i) {
            write(frames[i]);
        }
        if (n > 0) {
            rte_pktmbuf_free_bulk(frames.data(), n);
            any = true;
        }
    }
    return any;
}

void twin::write(rte_mbuf* frame) noexcept {
    if (_vlan != 0) {
        rte_vlan_strip(frame);
    }
    std::array<iovec, most_parts> parts;  // NOLINT: filled below
    std::size_t n = 0;
    for (rte_mbuf* part = frame; part != nullptr && n < parts.size(); part = part->next) {
        parts[n++] = {rte_pktmbuf_mtod(part, void*), part->data_len};
    }
    if (::writev(_device.get(), parts.data(), static_cast<int>(n)) < 0) {
        _counts.refused.add();
    } else {
        _counts.to_kernel.add();
    }
}

bool twin::take_from_kernel() noexcept {
    std::array<rte_mbuf*, burst> frames;  // NOLINT: filled below
    unsigned n = 0;
    while (n < burst) {
        rte_mbuf* frame = rte_pktmbuf_alloc(_pool);
        if (frame == nullptr) {
            // Read and lost: else the descriptor stays readable, and the thread would turn around it.
            std::uint8_t octet = 0;
            if (::read(_device.get(), &octet, 1) < 0) {
                break;
            }
            _counts.no_buffer.add();
            continue;
        }
        const ssize_t got = ::read(_device.get(), rte_pktmbuf_mtod(frame, void*), rte_pktmbuf_tailroom(frame));
        if (got <= 0) {
            rte_pktmbuf_free(frame);
            break;
        }
        frame->data_len = static_cast<std::uint16_t>(got);
        frame->pkt_len = static_cast<std::uint32_t>(got);
        if (_vlan != 0) {
            frame->vlan_tci = _vlan;
            if (rte_vlan_insert(&frame) != 0) {
                rte_pktmbuf_free(frame);
                continue;
            }
        }
        frames[n++] = frame;
    }
    if (n == 0) {
        return false;
    }
    _counts.from_kernel.add(n);
    const unsigned taken = _to_wire.push(frames.data(), n);
    _shard_0->wake();
    if (taken < n) {
        _counts.no_room.add(n - taken);
        rte_pktmbuf_free_bulk(frames.data() + taken, n - taken);
    }
    return true;
}

}  // namespace postern::port
