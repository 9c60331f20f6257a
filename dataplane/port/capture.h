// A capture: frames of one host or network, as the shards receive and send them, copied to a file (pcapng).
//
// For a process whose memory no other may attach to. The filter is not left out, for a mail server's whole traffic is
// nobody's to keep; the file is bounded in octets and time. Shards copy what matches into rings of their own; a thread
// writes. What a full ring does not take is counted as lost.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "board/process/files.h"
#include "board/process/spsc_ring.h"
#include "dataplane/net/address.h"
#include "dataplane/net/octets.h"
#include "dataplane/shard/seam.h"

namespace postern::port {

struct capture_filter {
    net::ip_address network{};
    std::uint8_t prefix = 0;  ///< leading bits: of 32 for IPv4, of 128 for IPv6

    /// Whether a frame is from or to the network: IP packets by their header, ARP messages by their addresses.
    bool matches(net::octets frame) const noexcept;
};

struct capture_settings {
    capture_filter filter;
    std::uint64_t most_octets = 0;  ///< of the file
    std::chrono::seconds most_time{0};
    std::string application;  ///< for people who read the file
    std::string interface;
    unsigned shards = 1;
};

class capture {
public:
    /// Octets that are kept of a frame.
    static constexpr std::size_t most_kept = 2000;

    /// Begins at once. `file` is empty and open for writing. Throws std::system_error.
    capture(const capture_settings& settings, process::descriptor file);
    /// When no shard sees any more.
    ~capture();
    capture(const capture&) = delete;
    capture& operator=(const capture&) = delete;

    /// On the shard's thread: a frame that it received or sends.
    void see(unsigned shard, net::octets frame, bool sent) noexcept {
        if (!_settings.filter.matches(frame)) {
            return;
        }
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        if (!_rings[shard]->emplace(frame, std::chrono::nanoseconds(now), sent)) {
            _lost.fetch_add(1, std::memory_order_relaxed);
        }
    }

    enum class state : std::uint8_t { running, time_over, full, failed, stopped };
    struct report {
        capture::state is = state::running;
        std::uint64_t frames = 0;
        std::uint64_t octets = 0;  ///< of the file
        std::uint64_t lost = 0;
    };
    /// Any thread.
    report told() const noexcept;
    /// When no shard sees any more: writes what is left.
    void stop() noexcept;

private:
    struct kept_frame {
        kept_frame(net::octets frame, std::chrono::nanoseconds when, bool is_sent) noexcept
            : at(when), length(static_cast<std::uint32_t>(frame.size())), sent(is_sent) {
            std::memcpy(octets.data(), frame.data(), kept());
        }
        std::size_t kept() const noexcept { return length < most_kept ? length : most_kept; }

        std::chrono::nanoseconds at;  ///< since 1970
        std::uint32_t length;
        bool sent;
        std::array<std::uint8_t, most_kept> octets;  // NOLINT: filled up to `kept`
    };
    void run() noexcept;
    bool write_what_waits();
    bool write(const std::vector<std::uint8_t>& octets) noexcept;
    void end(state why) noexcept;

    capture_settings _settings;
    process::descriptor _file;
    std::vector<std::unique_ptr<process::spsc_ring<kept_frame>>> _rings;  ///< one a shard
    std::vector<std::uint8_t> _text;                                      ///< not written yet
    std::atomic<std::uint64_t> _frames{0};
    std::atomic<std::uint64_t> _octets{0};
    std::atomic<std::uint64_t> _lost{0};
    std::atomic<state> _state{state::running};
    std::atomic<bool> _stops{false};
    std::thread _thread;
};

}  // namespace postern::port
