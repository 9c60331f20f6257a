// wire_relay NEAR FAR MTU: a cable between two devices of DPDK's, with its commands (relay_command.h) on standard
// input. Says "ready" when both ports are open, and ends with its input.
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "dataplane/port/device.h"
#include "dataplane/port/drivers.h"
#include "dataplane/port/environment.h"
#include "tests/wire/relay_command.h"

namespace {

using namespace postern;  // NOLINT: a program's own file

std::unique_ptr<port::device> opened(const std::string& device, std::uint16_t mtu) {
    port::device_settings settings;
    settings.name = device.substr(0, device.find(','));
    settings.mtu = mtu;
    settings.offload_checksums = false;
    auto port = port::device::open(settings);
    if (!port) {
        std::fprintf(stderr, "%s\n", port.error().c_str());
        std::exit(1);  // NOLINT: one thread
    }
    return std::move(*port);
}

/// Lines of standard input, without waiting.
class commands {
public:
    /// False: the input has ended.
    bool obeyed(wire::relay& r, int wait_ms) {
        pollfd in{STDIN_FILENO, POLLIN, 0};
        if (::poll(&in, 1, wait_ms) <= 0) {
            return true;
        }
        std::array<char, 1024> some;  // NOLINT: filled by read
        const ssize_t n = ::read(STDIN_FILENO, some.data(), some.size());
        if (n <= 0) {
            return false;
        }
        _rest.append(some.data(), static_cast<std::size_t>(n));
        for (std::size_t end = 0; (end = _rest.find('\n')) != std::string::npos; _rest.erase(0, end + 1)) {
            std::printf("%s\n", wire::obey(r, std::string_view(_rest).substr(0, end)).c_str());
        }
        std::fflush(stdout);
        return true;
    }

private:
    std::string _rest;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fputs("usage: wire_relay NEAR FAR MTU\n", stderr);
        return 2;
    }
    const std::string near = argv[1];
    const std::string far = argv[2];
    const auto mtu = static_cast<std::uint16_t>(std::atoi(argv[3]));
    const auto started = port::start_environment(
        {{port::with_driver_arguments(near, mtu), port::with_driver_arguments(far, mtu)}, 160, false});
    if (!started) {
        std::fprintf(stderr, "%s\n", started.error().c_str());
        return 1;
    }
    const auto near_port = opened(near, mtu);
    const auto far_port = opened(far, mtu);
    const port::registered_thread registered;
    port::queue near_queue = near_port->queue_at(0);
    port::queue far_queue = far_port->queue_at(0);
    wire::path nothing;
    nothing.delay = shard::instant::zero();
    wire::relay relay(near_queue, far_queue, nothing);
    std::puts("ready");
    std::fflush(stdout);
    commands in;
    for (unsigned still = 0;; ++still) {
        if (relay.turn(std::chrono::steady_clock::now().time_since_epoch())) {
            still = 0;
        }
        // A port is polled: a millisecond's sleep once nothing has come for a while, and a look at the input now and
        // then.
        const bool rests = still > 2'000 && relay.next() == shard::never;
        if ((rests || still % 64 == 63) && !in.obeyed(relay, rests ? 1 : 0)) {
            return 0;
        }
    }
}
