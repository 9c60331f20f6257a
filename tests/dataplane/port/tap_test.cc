// The packet path against this machine's kernel: a shard over net_tap, whose TAP end is a device of the kernel in a
// network namespace of the test's own. The kernel's sockets are the clients.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <thread>

#include "board/process/files.h"
#include "dataplane/port/packet_loop.h"
#include "tests/dataplane/port/echo_layer.h"
#include "tests/dataplane/port/rig.h"

namespace postern::port {
namespace {

using std::chrono::seconds;

/// One shard of the port under test, on its own thread.
struct running_shard {
    running_shard(device& port, std::uint16_t number, const net::interface_settings& network,
                  std::span<const tcp::endpoint::listener> listeners, shard::connection_limits& limits,
                  const tcp::settings& tcp, const ties& tied)
        : parts(port, number, network, listeners, limits, tcp, tcp::random_secrets(),
                std::chrono::steady_clock::now().time_since_epoch(), tied),
          layer(parts.endpoint()),
          loop(parts, layer) {}

    packet_shard parts;
    echo_layer<tcp::endpoint> layer;
    packet_loop<echo_layer<tcp::endpoint>> loop;
    std::thread thread;
};

class tap_test : public ::testing::TestWithParam<shape> {
protected:
    void SetUp() override {
        rig& r = rig::one();
        if (!r.fault.empty()) {
            GTEST_SKIP() << r.fault;
        }
        const shape& s = GetParam();
        ASSERT_TRUE(r.ports[s.device]);
        device& port = *r.ports[s.device];
        at_rest = port.buffers_in_use();
        net::interface_settings network;
        // Not the device's own: the kernel's end of the TAP has the same.
        network.mac = {0x02, 0, 0, 0, 0, 0x01};
        network.addresses = {{s.ours(), 24}, {s.ours6(), 64}};
        network.find_duplicates = false;
        const std::array listeners{tcp::endpoint::listener{{net::unspecified_ipv4, smtp}, 0},
                                   tcp::endpoint::listener{{net::unspecified_ipv6, smtp}, 1}};
        tcp::settings tcp;
        tcp.time_wait_time = seconds(1);
        ties tied;
        if (s.shards > 1) {
            others.emplace(s.shards, port.queues());
            owners.emplace(port.owners());
            tied = {&*others, &*owners, &view, nullptr};
        }
        for (std::uint16_t i = 0; i < s.shards; ++i) {
            shards.push_back(std::make_unique<running_shard>(port, i, network, listeners, limits, tcp, tied));
        }
        for (const auto& each : shards) {
            each->thread = std::thread([&each] { each->loop.run(); });
        }
    }
    void TearDown() override {
        for (const auto& each : shards) {
            each->loop.drain(seconds(5));
        }
        for (const auto& each : shards) {
            each->thread.join();
        }
        for (const auto& each : shards) {
            EXPECT_EQ(each->parts.endpoint().connections(), 0U);
            EXPECT_TRUE(each->parts.endpoint().consistent());
            EXPECT_EQ(each->parts.endpoint().buffered(), 0U);
            EXPECT_EQ(each->parts.counts().bad_segments.value(), 0U);
            EXPECT_EQ(each->parts.counts().hand_over_full.value(), 0U);
        }
        const auto count = static_cast<std::uint32_t>(shards.size());
        if (count == 0) {
            return;
        }
        shards.clear();
        others.reset();
        shard::wait_for_retired();
        EXPECT_LE(rig::one().ports[GetParam().device]->buffers_in_use(), at_rest + count * burst_size)
            << "buffers that nobody gave back";
    }
    std::uint64_t sum(shard::counter packet_counts::*which) const {
        std::uint64_t out = 0;
        for (const auto& each : shards) {
            out += (each->parts.counts().*which).value();
        }
        return out;
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
            const net::ip_address ours6 = GetParam().ours6();
            std::memcpy(&to.sin6_addr, ours6.data(), ours6.size());
            result = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to);
        } else {
            sockaddr_in to{};
            to.sin_family = AF_INET;
            to.sin_port = htons(smtp);
            const net::ip_address ours = GetParam().ours();
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
    shard::published<net::link_view> view;
    std::optional<hand_over> others;
    std::optional<steering> owners;
    std::vector<std::unique_ptr<running_shard>> shards;
};
INSTANTIATE_TEST_SUITE_P(shapes, tap_test, ::testing::ValuesIn(shapes));

TEST_P(tap_test, the_kernel_is_greeted_and_answered_over_both_families) {
    for (const bool v6 : {false, true}) {
        const process::descriptor fd = connect(v6);
        EXPECT_EQ(receive(fd, 10), "220 echo\r\n") << v6;
        send_all(fd, "hello");
        EXPECT_EQ(receive(fd, 5), "hello") << v6;
        ::shutdown(fd.get(), SHUT_WR);
        EXPECT_EQ(receive(fd, 1), "") << "a FIN for a FIN";
    }
}

TEST_P(tap_test, two_megabytes_there_and_back_are_the_same_octets) {
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

TEST_P(tap_test, a_client_that_does_not_read_holds_up_only_itself) {
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

TEST_P(tap_test, hundreds_at_a_time_and_resets) {
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
    for (const auto& each : shards) {
        EXPECT_GT(each->parts.endpoint().counts().accepted.value(), 300U / shards.size() / 3) << "each has its share";
    }
    if (GetParam().queues < GetParam().shards) {
        EXPECT_GT(sum(&packet_counts::handed_over), 600U);
        EXPECT_GT(sum(&packet_counts::sent_for_others), 600U);
    }
    EXPECT_LE(sum(&packet_counts::taken_over), sum(&packet_counts::handed_over));
}

TEST_P(tap_test, a_port_where_nobody_listens_is_refused) {
    process::descriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(26);
    const net::ip_address ours = GetParam().ours();
    std::memcpy(&to.sin_addr, ours.data() + 12, 4);
    EXPECT_NE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    EXPECT_EQ(errno, ECONNREFUSED);
}

TEST_P(tap_test, a_shard_at_rest_sleeps) {
    const process::descriptor fd = connect();
    receive(fd, 10);
    const auto turns = [this] {
        std::uint64_t out = 0;
        for (const auto& each : shards) {
            out += each->parts.endpoint().counts().turns.value();
        }
        return out;
    };
    ::usleep(20'000);
    const std::uint64_t before = turns();
    ::usleep(300'000);
    const std::uint64_t in_300_ms = turns() - before;
    const device& port = *rig::one().ports[GetParam().device];
    // Shards that poll look at their queue every 100 µs, twice (the second time after they announced the next sleep).
    EXPECT_LE(in_300_ms, port.interrupts() ? 1000U : 2U * 3000U * port.queues() + 1000U);
    send_all(fd, "still there");
    EXPECT_EQ(receive(fd, 11), "still there");
}

}  // namespace
}  // namespace postern::port
