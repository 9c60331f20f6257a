#include "dataplane/port/capture.h"

#include <pthread.h>
#include <unistd.h>

#include <cerrno>

#include "dataplane/net/ethernet.h"
#include "dataplane/port/pcapng.h"

namespace postern::port {
namespace {

constexpr std::size_t ring_frames = 512;  // of each shard: what comes in between two looks of the writer
constexpr std::chrono::milliseconds look_every{2};

net::ip_address whole(const std::uint8_t* at) noexcept {
    net::ip_address out;
    std::memcpy(out.data(), at, out.size());
    return out;
}

}  // namespace

bool capture_filter::matches(net::octets frame) const noexcept {
    const auto link = net::read_ethernet(frame);
    if (!link) {
        return false;
    }
    const auto in = [this](const net::ip_address& ip) { return net::same_network(ip, network, prefix); };
    const std::uint8_t* const at = link->payload.data();
    const std::size_t size = link->payload.size();
    switch (link->type) {
        case net::ether_type::ipv4:
            return size >= 20 && (in(net::ipv4(at + 12)) || in(net::ipv4(at + 16)));
        case net::ether_type::ipv6:
            return size >= 40 && (in(whole(at + 8)) || in(whole(at + 24)));
        case net::ether_type::arp:
            return size >= 28 && (in(net::ipv4(at + 14)) || in(net::ipv4(at + 24)));
        default:
            return false;
    }
}

capture::capture(const capture_settings& settings, process::descriptor file)
    : _settings(settings), _file(std::move(file)) {
    for (unsigned i = 0; i < settings.shards; ++i) {
        _rings.push_back(std::make_unique<process::spsc_ring<kept_frame>>(ring_frames));
    }
    pcapng::begin(_text, settings.application, settings.interface, most_kept);
    _thread = std::thread([this] {
        ::pthread_setname_np(::pthread_self(), "capture");
        run();
    });
}

capture::~capture() {
    stop();
}

void capture::stop() noexcept {
    if (_thread.joinable()) {
        _stops.store(true, std::memory_order_release);
        _thread.join();
    }
}

capture::report capture::told() const noexcept {
    return {_state.load(std::memory_order_acquire), _frames.load(std::memory_order_relaxed),
            _octets.load(std::memory_order_relaxed), _lost.load(std::memory_order_relaxed)};
}

void capture::end(state why) noexcept {
    _state.store(why, std::memory_order_release);
}

void capture::run() noexcept {
    const auto over = std::chrono::steady_clock::now() + _settings.most_time;
    for (;;) {
        const bool stops = _stops.load(std::memory_order_acquire);
        if (!write_what_waits()) {
            return;
        }
        if (stops || std::chrono::steady_clock::now() >= over) {
            end(stops ? state::stopped : state::time_over);
            return;
        }
        std::this_thread::sleep_for(look_every);
    }
}

/// False: it is over.
bool capture::write_what_waits() {
    for (const auto& ring : _rings) {
        // No more than the ring holds, so that a flood of one shard's does not keep the others waiting.
        for (std::size_t n = 0; n < ring_frames; ++n) {
            const kept_frame* const f = ring->front();
            if (f == nullptr) {
                break;
            }
            const std::uint64_t so_far = _octets.load(std::memory_order_relaxed) + _text.size();
            if (so_far + pcapng::frame_octets(f->kept()) > _settings.most_octets) {
                end(write(_text) ? state::full : state::failed);
                return false;
            }
            pcapng::frame(_text, static_cast<std::uint64_t>(f->at.count()), f->sent, f->length,
                          std::span(f->octets).first(f->kept()));
            _frames.fetch_add(1, std::memory_order_relaxed);
            ring->drop();
        }
    }
    const bool written = write(_text);
    _text.clear();
    if (!written) {
        end(state::failed);
    }
    return written;
}

bool capture::write(const std::vector<std::uint8_t>& octets) noexcept {
    std::size_t done = 0;
    while (done < octets.size()) {
        const ssize_t n = ::write(_file.get(), octets.data() + done, octets.size() - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        done += static_cast<std::size_t>(n);
    }
    _octets.fetch_add(done, std::memory_order_relaxed);
    return true;
}

}  // namespace postern::port
