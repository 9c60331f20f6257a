#include "dataplane/sockets/listeners.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "tests/dataplane/sockets/socket_rig.h"

namespace postern::sockets {
namespace {

using process::descriptor;
using shard::endpoint;

/// Runs `test` in a process of its own and returns what it wrote.
std::string in_child(const std::function<std::string()>& test) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        const std::string said = test();
        [[maybe_unused]] const ssize_t n = ::write(ends[1], said.data(), said.size());
        ::_exit(0);
    }
    ::close(ends[1]);
    std::string said;
    char octets[1024];
    for (ssize_t n = 0; (n = ::read(ends[0], octets, sizeof octets)) > 0;) {
        said.append(octets, static_cast<std::size_t>(n));
    }
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    return said;
}

std::vector<descriptor> as_inherited(std::vector<shard_listeners> all) {
    std::vector<descriptor> sockets;
    for (shard_listeners& of_shard : all) {
        for (listening_socket& l : of_shard) {
            sockets.push_back(std::move(l.socket));
        }
    }
    return sockets;
}

TEST(listeners, every_shard_has_its_own_socket_on_the_same_port) {
    const endpoint at[] = {loopback(), loopback("[::1]:0")};
    const auto all = open_listeners(at, 3);
    ASSERT_TRUE(all) << all.error();
    ASSERT_EQ(all->size(), 3u);
    for (const shard_listeners& of_shard : *all) {
        ASSERT_EQ(of_shard.size(), 2u);
        for (std::uint16_t i = 0; i < 2; ++i) {
            EXPECT_EQ(of_shard[i].listener, i);
            EXPECT_NE(of_shard[i].at.port, 0);
            EXPECT_EQ(of_shard[i].at, (*all)[0][i].at);
            EXPECT_FALSE(of_shard[i].any_address);
        }
    }
}

TEST(listeners, both_families_listen_on_one_port) {
    auto four = open_listeners(std::array{loopback("0.0.0.0:0")}, 1);
    ASSERT_TRUE(four) << four.error();
    endpoint six = loopback("[::]:0");
    six.port = (*four)[0][0].at.port;
    const auto both = open_listeners(std::array{six}, 1);
    ASSERT_TRUE(both) << both.error();
    EXPECT_TRUE((*both)[0][0].any_address);
}

TEST(listeners, a_port_in_use_is_an_error_that_names_it_also_among_ours) {
    const auto first = open_listeners(std::array{loopback()}, 2);
    ASSERT_TRUE(first) << first.error();
    const endpoint taken = (*first)[0][0].at;
    const auto second = open_listeners(std::array{taken}, 2);
    ASSERT_FALSE(second) << "SO_REUSEPORT must not share the port with another program of ours";
    EXPECT_NE(second.error().find("cannot listen on " + shard::endpoint_text(taken) + ": Address already in use"),
              std::string::npos)
        << second.error();
    EXPECT_NE(second.error().find("ss -ltnp"), std::string::npos) << second.error();
}

TEST(listeners, an_address_of_another_machine_is_an_error) {
    const auto none = open_listeners(std::array{loopback("192.0.2.1:0")}, 1);
    ASSERT_FALSE(none);
    EXPECT_NE(none.error().find("cannot listen on 192.0.2.1:0: Cannot assign requested address: no interface"),
              std::string::npos)
        << none.error();
}

TEST(listeners, without_privilege_a_low_port_is_an_error_with_its_remedy) {
    std::ifstream setting("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    int first_free = 1024;
    setting >> first_free;
    if (first_free <= 25) {
        GTEST_SKIP() << "this machine lets everybody have low ports";
    }
    const std::string said = in_child([] {
        if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) {
            return std::string("cannot drop privileges");
        }
        const auto none = open_listeners(std::array{loopback("0.0.0.0:25")}, 1);
        return none ? "listens" : none.error();
    });
    EXPECT_EQ(said,
              "cannot listen on 0.0.0.0:25: Permission denied: start as root or grant CAP_NET_BIND_SERVICE, or choose "
              "a port above 1023");
}

TEST(listeners, accepted_connections_do_not_delay_replies) {
    const auto all = listen_on(loopback());
    const socket_peer peer(all[0][0].at);
    pollfd wait{.fd = all[0][0].socket.get(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&wait, 1, 10'000), 1);
    const descriptor accepted(::accept4(all[0][0].socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
    ASSERT_TRUE(accepted);
    int no_delay = 0;
    socklen_t size = sizeof no_delay;
    ::getsockopt(accepted.get(), IPPROTO_TCP, TCP_NODELAY, &no_delay, &size);
    EXPECT_NE(no_delay, 0);
}

TEST(listeners, inherited_sockets_are_used_and_keep_their_connections) {
    auto before = listen_on(loopback(), 2);
    const endpoint at = before[0][0].at;
    // Connections that the process before us never accepted.
    std::vector<std::unique_ptr<socket_peer>> peers;
    for (int i = 0; i < 8; ++i) {
        peers.push_back(std::make_unique<socket_peer>(at));
    }
    const auto all = open_listeners(std::array{at}, 3, as_inherited(std::move(before)));
    ASSERT_TRUE(all) << all.error();
    ASSERT_EQ(all->size(), 3u);
    std::size_t accepted = 0;
    for (const shard_listeners& of_shard : *all) {
        ASSERT_EQ(of_shard.size(), 1u) << "a shard without a socket of its own shares one";
        EXPECT_EQ(of_shard[0].at, at);
        const int fd = of_shard[0].socket.get();
        EXPECT_NE(::fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
        EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
        while (descriptor(::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC))) {
            ++accepted;
        }
    }
    EXPECT_EQ(accepted, peers.size());
}

TEST(listeners, with_fewer_shards_than_inherited_sockets_none_is_closed) {
    auto before = listen_on(loopback(), 3);
    const endpoint at = before[0][0].at;
    const auto all = open_listeners(std::array{at}, 2, as_inherited(std::move(before)));
    ASSERT_TRUE(all) << all.error();
    EXPECT_EQ((*all)[0].size(), 2u);
    EXPECT_EQ((*all)[1].size(), 1u);
}

TEST(listeners, an_inherited_socket_that_is_not_configured_is_an_error) {
    auto before = listen_on(loopback());
    const endpoint at = before[0][0].at;
    const auto all = open_listeners(std::array{loopback()}, 1, as_inherited(std::move(before)));
    ASSERT_FALSE(all);
    EXPECT_NE(all.error().find(shard::endpoint_text(at)), std::string::npos) << all.error();
}

TEST(listeners, an_inherited_descriptor_that_is_no_socket_is_an_error) {
    std::vector<descriptor> inherited;
    inherited.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const auto all = open_listeners(std::array{loopback()}, 1, std::move(inherited));
    ASSERT_FALSE(all);
    EXPECT_NE(all.error().find("is not a TCP socket"), std::string::npos) << all.error();
}

TEST(listeners, socket_activation_is_meant_for_one_process) {
    const auto activated = [](const std::string& pid, const char* count) {
        return in_child([&] {
            ::setenv("LISTEN_PID", pid == "mine" ? std::to_string(::getpid()).c_str() : pid.c_str(), 1);
            ::setenv("LISTEN_FDS", count, 1);
            ::setenv("LISTEN_FDNAMES", "smtp", 1);
            std::string said;
            for (descriptor& d : inherited_listeners()) {
                said += std::to_string(d.release()) + " ";
            }
            const bool left = std::getenv("LISTEN_PID") != nullptr || std::getenv("LISTEN_FDS") != nullptr ||
                              std::getenv("LISTEN_FDNAMES") != nullptr;
            return said + (left ? "left" : "cleared");
        });
    };
    EXPECT_EQ(activated("mine", "2"), "3 4 cleared");
    EXPECT_EQ(activated("mine", "0"), "cleared");
    EXPECT_EQ(activated("mine", "-1"), "cleared");
    EXPECT_EQ(activated("mine", "2x"), "cleared");
    EXPECT_EQ(activated("mine", "99999999999999999999"), "cleared");
    EXPECT_EQ(activated("1", "2"), "cleared");
}

}  // namespace
}  // namespace postern::sockets
