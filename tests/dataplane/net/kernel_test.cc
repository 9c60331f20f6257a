// Against this machine's own kernel: a TAP device in a network namespace of the test's own, Postern's port at the other
// end. Needs root; skipped with that reason elsewhere.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "board/process/files.h"
#include "tests/dataplane/net/frames.h"

namespace postern::net {
namespace {

using namespace testing;
using clock = std::chrono::steady_clock;

class tap final : public frame_sink {
public:
    explicit tap(const char* name) : _fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK)) {
        ifreq wanted{};
        wanted.ifr_flags = IFF_TAP | IFF_NO_PI;
        std::strncpy(wanted.ifr_name, name, IFNAMSIZ - 1);
        good = _fd && ::ioctl(_fd.get(), TUNSETIFF, &wanted) == 0;
    }
    void send(octets frame) noexcept override { sent += ::write(_fd.get(), frame.data(), frame.size()) > 0 ? 1 : 0; }
    /// A frame's octets, or none.
    std::size_t receive(std::span<std::uint8_t> into, int milliseconds) {
        pollfd waited{_fd.get(), POLLIN, 0};
        if (::poll(&waited, 1, milliseconds) != 1) {
            return 0;
        }
        const ssize_t n = ::read(_fd.get(), into.data(), into.size());
        return n > 0 ? static_cast<std::size_t>(n) : 0;
    }
    bool good = false;
    std::uint64_t sent = 0;

private:
    process::descriptor _fd;
};

/// Serves the port until the command has ended; its status.
int run_beside(interface& port, tap& wire, const std::string& command) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
        ::_exit(127);
    }
    std::vector<std::uint8_t> frame(65536);
    const auto until = clock::now() + std::chrono::seconds(30);
    int status = -1;
    while (::waitpid(child, &status, WNOHANG) == 0) {
        if (clock::now() > until) {
            ::kill(child, SIGKILL);
        }
        port.tick(clock::now().time_since_epoch());
        if (const std::size_t n = wire.receive(frame, 5); n > 0) {
            port.input({frame.data(), n}, clock::now().time_since_epoch());
        }
    }
    return status;
}

TEST(kernel_test, linux_resolves_pings_and_sees_its_duplicate) {
    if (::geteuid() != 0 || ::access("/dev/net/tun", R_OK | W_OK) != 0) {
        GTEST_SKIP() << "needs root and /dev/net/tun, for a network namespace and a TAP device";
    }
    std::string lacks;
    // The namespace is this thread's alone and goes with it.
    std::thread([&lacks] {
        if (::unshare(CLONE_NEWNET) != 0) {
            lacks = std::string("no network namespace: ") + std::strerror(errno);
            return;
        }
        tap wire("postern0");
        if (!wire.good) {
            lacks = std::string("no TAP device: ") + std::strerror(errno);
            return;
        }
        ASSERT_EQ(std::system("ip link set postern0 up && ip addr add 192.0.2.9/24 dev postern0 && "
                              "ip -6 addr add 2001:db8::9/64 dev postern0 nodad"),
                  0);
        interface_settings s;
        s.mac = our_mac;
        s.addresses = {{our_ip, 24}, {our_ip6, 64}};
        s.gateways = {their_ip, their_ip6};
        interface port(s, wire, clock::now().time_since_epoch());
        EXPECT_EQ(run_beside(port, wire, "sleep 1.5"), 0);
        EXPECT_TRUE(port.owns(our_ip6)) << "nobody objected";
        EXPECT_TRUE(port.gateways_reachable()) << "the kernel answers for 192.0.2.9 and 2001:db8::9";
        EXPECT_EQ(
            run_beside(port, wire, "ping -q -c 3 -i 0.05 -W 2 192.0.2.1 && ping -q -c 3 -i 0.05 -W 2 2001:db8::1"), 0);
        EXPECT_EQ(run_beside(port, wire, "ping -q -c 2 -i 0.05 -W 2 -s 1400 192.0.2.1"), 0);
        EXPECT_EQ(run_beside(port, wire, "ip neigh show 192.0.2.1 | grep -q 02:00:00:00:00:01"), 0);
        EXPECT_EQ(port.counts().drops[static_cast<std::size_t>(drop::bad_ip_checksum)].value(), 0U);

        interface_settings same = s;
        same.mac = third_mac;
        same.addresses = {{their_ip6, 64}};  // the kernel's own
        same.gateways = {};
        interface late(same, wire, clock::now().time_since_epoch());
        EXPECT_EQ(run_beside(late, wire, "sleep 1.5"), 0);
        EXPECT_FALSE(late.owns(their_ip6)) << "the kernel has it";
        EXPECT_EQ(late.duplicated(), std::vector<ip_address>{their_ip6});
    }).join();
    if (!lacks.empty()) {
        GTEST_SKIP() << lacks;
    }
}

}  // namespace
}  // namespace postern::net
