// The packet path against this machine's kernel: a shard over net_tap, whose TAP end is a device of the kernel in a
// network namespace of the test's own. The kernel's sockets are the clients.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "board/process/files.h"
#include "dataplane/port/packet_loop.h"
#include "tests/dataplane/port/echo_layer.h"

namespace postern::port {
namespace {

using std::chrono::seconds;

constexpr net::ip_address ours = net::ipv4(192, 0, 2, 1);
constexpr net::ip_address ours6{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
constexpr std::uint16_t smtp = 25;

/// Once for the process: DPDK does not start twice.
struct rig {
    std::unique_ptr<device> port;
    std::string fault;

    rig() {
        if (::geteuid() != 0 || ::access("/dev/net/tun", R_OK | W_OK) != 0) {
            fault = "needs root and /dev/net/tun, for a network namespace and a TAP device";
            return;
        }
        // This thread's namespace, and that of the threads it starts from now on; it goes with the process.
        if (::unshare(CLONE_NEWNET) != 0) {
            fault = std::string("no network namespace: ") + std::strerror(errno);
            return;
        }
        if (const auto started = start_environment({{"net_tap0,iface=postern0"}, 64, false}); !started) {
            ADD_FAILURE() << started.error();
            return;
        }
        device_settings settings;
        settings.name = "net_tap0";
        settings.descriptors = 256;
        settings.spare_buffers = 2048;
        auto opened = device::open(settings);
        if (!opened) {
            ADD_FAILURE() << opened.error();
            return;
        }
        port = std::move(*opened);
        EXPECT_EQ(std::system("ip addr add 192.0.2.9/24 dev postern0 && "
                              "ip -6 addr add 2001:db8::9/64 dev postern0 nodad && ip link set postern0 up"),
                  0);
    }
    static rig& one() {
        static rig instance;
        return instance;
    }
};

class tap_test : public ::testing::Test {
protected:
    void SetUp() override {
        rig& r = rig::one();
        if (!r.fault.empty()) {
            GTEST_SKIP() << r.fault;
        }
        ASSERT_TRUE(r.port);
        at_rest = r.port->buffers_in_use();
        net::interface_settings network;
        // Not the device's own: the kernel's end of the TAP has the same.
        network.mac = {0x02, 0, 0, 0, 0, 0x01};
        network.addresses = {{ours, 24}, {ours6, 64}};
        network.find_duplicates = false;
        const std::array listeners{tcp::endpoint::listener{{net::unspecified_ipv4, smtp}, 0},
                                   tcp::endpoint::listener{{net::unspecified_ipv6, smtp}, 1}};
        tcp::settings tcp;
        tcp.time_wait_time = seconds(1);
        parts.emplace(*r.port, 0, network, listeners, limits, tcp, tcp::random_secrets(),
                      std::chrono::steady_clock::now().time_since_epoch());
        layer.emplace(parts->endpoint());
        loop.emplace(*parts, *layer);
        thread = std::thread([this] { loop->run(); });
    }
    void TearDown() override {
        if (!thread.joinable()) {
            return;
        }
        loop->drain(seconds(5));
        thread.join();
        EXPECT_EQ(parts->endpoint().connections(), 0U);
        EXPECT_TRUE(parts->endpoint().consistent());
        EXPECT_EQ(parts->endpoint().buffered(), 0U);
        EXPECT_EQ(parts->counts().bad_segments.value(), 0U);
        loop.reset();
        layer.reset();
        parts.reset();
        EXPECT_LE(rig::one().port->buffers_in_use(), at_rest + burst_size) << "buffers that nobody gave back";
    }

    static process::descriptor connect(bool v6 = false) {
        process::descriptor fd(::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const timeval patience{10, 0};
        ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        int result = 0;
        if (v6) {
            sockaddr_in6 to{};
            to.sin6_family = AF_INET6;
            to.sin6_port = htons(smtp);
            std::memcpy(&to.sin6_addr, ours6.data(), ours6.size());
            result = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to);
        } else {
            sockaddr_in to{};
            to.sin_family = AF_INET;
            to.sin_port = htons(smtp);
            std::memcpy(&to.sin_addr, ours.data() + 12, 4);
            result = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to);
        }
        EXPECT_EQ(result, 0) << std::strerror(errno);
        return fd;
    }
    /// `n` octets, fewer if the connection ended.
    static std::string receive(const process::descriptor& fd, std::size_t n) {
        std::string out(n, '\0');
        std::size_t got = 0;
        while (got < n) {
            const ssize_t more = ::recv(fd.get(), out.data() + got, n - got, 0);
            if (more <= 0) {
                break;
            }
            got += static_cast<std::size_t>(more);
        }
        out.resize(got);
        return out;
    }
    static void send_all(const process::descriptor& fd, std::string_view octets) {
        while (!octets.empty()) {
            const ssize_t n = ::send(fd.get(), octets.data(), octets.size(), MSG_NOSIGNAL);
            ASSERT_GT(n, 0) << std::strerror(errno);
            octets.remove_prefix(static_cast<std::size_t>(n));
        }
    }
    static std::string noise(std::size_t n) {
        std::string out(n, '\0');
        std::uint32_t x = 1;
        for (char& c : out) {
            x = x * 1664525U + 1013904223U;
            c = static_cast<char>(x >> 24U);
        }
        return out;
    }

    shard::connection_limits limits{std::array<shard::connection_limits::limits, 2>{{{1000, 1000}, {1000, 1000}}}};
    std::uint32_t at_rest = 0;
    std::optional<packet_shard> parts;
    std::optional<echo_layer<tcp::endpoint>> layer;
    std::optional<packet_loop<echo_layer<tcp::endpoint>>> loop;
    std::thread thread;
};

TEST_F(tap_test, the_kernel_is_greeted_and_answered_over_both_families) {
    for (const bool v6 : {false, true}) {
        const process::descriptor fd = connect(v6);
        EXPECT_EQ(receive(fd, 10), "220 echo\r\n") << v6;
        send_all(fd, "hello");
        EXPECT_EQ(receive(fd, 5), "hello") << v6;
        ::shutdown(fd.get(), SHUT_WR);
        EXPECT_EQ(receive(fd, 1), "") << "a FIN for a FIN";
    }
}

TEST_F(tap_test, two_megabytes_there_and_back_are_the_same_octets) {
    const process::descriptor fd = connect();
    receive(fd, 10);
    const std::string content = noise(2 * 1024 * 1024);
    std::thread sender([&] {
        send_all(fd, content);
        ::shutdown(fd.get(), SHUT_WR);
    });
    const std::string back = receive(fd, content.size() + 1);
    sender.join();
    EXPECT_TRUE(back == content) << back.size();
}

TEST_F(tap_test, a_client_that_does_not_read_holds_up_only_itself) {
    const process::descriptor slow = connect();
    const timeval short_patience{0, 200000};
    ::setsockopt(slow.get(), SOL_SOCKET, SO_SNDTIMEO, &short_patience, sizeof short_patience);
    const std::string block = noise(256 * 1024);
    std::size_t sent = 0;
    for (ssize_t n = 1; n > 0;) {  // until every buffer on the way is full
        n = ::send(slow.get(), block.data(), block.size(), MSG_NOSIGNAL);
        sent += n > 0 ? static_cast<std::size_t>(n) : 0;
    }
    EXPECT_GT(sent, 0U);
    const process::descriptor quick = connect();
    EXPECT_EQ(receive(quick, 10), "220 echo\r\n");
    send_all(quick, "quick");
    EXPECT_EQ(receive(quick, 5), "quick");
    const std::string back = receive(slow, 10 + sent);
    EXPECT_EQ(back.size(), 10 + sent) << "and nothing of its own is lost";
}

TEST_F(tap_test, hundreds_at_a_time_and_resets) {
    std::vector<process::descriptor> all;
    for (int i = 0; i < 300; ++i) {
        all.push_back(connect(i % 2 == 1));
    }
    for (const process::descriptor& fd : all) {
        EXPECT_EQ(receive(fd, 10), "220 echo\r\n");
        send_all(fd, "x");
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
        EXPECT_EQ(receive(all[i], 1), "x");
        if (i % 3 == 0) {
            const linger at_once{1, 0};
            ::setsockopt(all[i].get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        }
    }
    all.clear();
    const auto until = std::chrono::steady_clock::now() + seconds(10);
    while (limits.connections(0) + limits.connections(1) > 0 && std::chrono::steady_clock::now() < until) {
        ::usleep(1000);
    }
    EXPECT_EQ(limits.connections(0) + limits.connections(1), 0U);
}

TEST_F(tap_test, a_port_where_nobody_listens_is_refused) {
    process::descriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(26);
    std::memcpy(&to.sin_addr, ours.data() + 12, 4);
    EXPECT_NE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    EXPECT_EQ(errno, ECONNREFUSED);
}

}  // namespace
}  // namespace postern::port
