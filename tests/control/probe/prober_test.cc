#include "control/probe/prober.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "board/process/files.h"

namespace postern::probe {
namespace {

/// A server on 127.0.0.1 that plays one session from a list of replies.
class played_server {
public:
    explicit played_server(std::vector<std::string> replies) : _fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::bind(_fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
        EXPECT_EQ(::listen(_fd.get(), 5), 0);
        socklen_t size = sizeof at;
        ::getsockname(_fd.get(), reinterpret_cast<sockaddr*>(&at), &size);
        port = ntohs(at.sin_port);
        _thread = std::thread([this, replies = std::move(replies)] {
            const process::descriptor peer(::accept(_fd.get(), nullptr, nullptr));
            for (const std::string& each : replies) {
                ::send(peer.get(), each.data(), each.size(), MSG_NOSIGNAL);
                char block[512];
                if (::recv(peer.get(), block, sizeof block, 0) <= 0) {
                    return;
                }
            }
        });
    }
    ~played_server() {
        ::shutdown(_fd.get(), SHUT_RDWR);  // ends an accept that nobody came to
        _thread.join();
    }
    std::uint16_t port = 0;

private:
    process::descriptor _fd;
    std::thread _thread;
};

prober_options usual() {
    prober_options out;
    out.helo = "us.example";
    out.own_names = {"edge.example"};
    out.host_timeout = std::chrono::milliseconds(5000);
    return out;
}

TEST(prober, does_not_connect_where_the_egress_policy_does_not_allow) {
    played_server server({"220 mx\r\n"});
    prober_options options = usual();
    options.may_reach = [](const std::string& address) { return address != "127.0.0.1"; };
    const finding found = prober(options).run({{"127.0.0.1", server.port, 10}}, "example.com");
    EXPECT_FALSE(found.usable);
    ASSERT_EQ(found.hosts.front().steps.size(), 2U);
    EXPECT_EQ(found.hosts.front().steps.back().detail,
              "the operator's egress policy does not allow connections to 127.0.0.1");
}

TEST(prober, finds_a_usable_server) {
    played_server server({"220 mx\r\n", "250 mx\r\n", "250 ok\r\n", "550 no\r\n", "250 ok\r\n", "550 no\r\n",
                          "250 ok\r\n", "221 bye\r\n"});
    const finding found = prober(usual()).run({{"127.0.0.1", server.port, 10}}, "example.com");
    EXPECT_TRUE(found.usable);
    EXPECT_FALSE(found.catch_all);
    EXPECT_FALSE(found.loops);
    EXPECT_TRUE(found.recipient.ends_with("@example.com"));
    ASSERT_EQ(found.hosts.size(), 1U);
    EXPECT_EQ(found.hosts[0].steps.front().name, "name");
    EXPECT_EQ(found.hosts[0].steps.back().name, "abuse");
    EXPECT_EQ(found.hosts[0].postmaster, true);
    EXPECT_EQ(found.hosts[0].abuse, false);
}

TEST(prober, the_random_recipient_is_another_each_time) {
    const prober with(usual());
    EXPECT_NE(with.run({}, "example.com").recipient, with.run({}, "example.com").recipient);
}

TEST(prober, an_address_where_an_edge_listens_is_a_loop_and_not_connected_to) {
    for (const char* own : {"127.0.0.1", "0.0.0.0", "::"}) {
        prober_options options = usual();
        options.own_listeners = {{own, 2525}};
        const finding found = prober(options).run({{"127.0.0.1", 2525, 10}}, "example.com");
        EXPECT_TRUE(found.loops) << own;
        EXPECT_FALSE(found.usable);
        EXPECT_EQ(found.hosts[0].steps.size(), 1U) << "nothing is tried after the name";
    }
}

TEST(prober, another_port_of_this_machine_is_no_loop) {
    played_server server({"220 mx\r\n", "250 mx\r\n", "250 ok\r\n", "550 no\r\n", "250 ok\r\n", "221 bye\r\n"});
    prober_options options = usual();
    options.own_listeners = {{"0.0.0.0", 25}};
    EXPECT_TRUE(prober(options).run({{"127.0.0.1", server.port, 10}}, "example.com").usable);
}

TEST(prober, our_own_name_is_a_loop) {
    played_server server({"220 edge.example ESMTP\r\n"});
    const finding found = prober(usual()).run({{"127.0.0.1", server.port, 10}}, "example.com");
    EXPECT_TRUE(found.loops);
    EXPECT_FALSE(found.usable);
}

TEST(prober, a_silent_server_ends_at_the_deadline) {
    played_server server({""});
    prober_options options = usual();
    options.host_timeout = std::chrono::milliseconds(100);
    const finding found = prober(options).run({{"127.0.0.1", server.port, 10}}, "example.com");
    EXPECT_FALSE(found.usable);
    EXPECT_EQ(found.hosts[0].steps.back().name, "greeting");
    EXPECT_EQ(found.hosts[0].steps.back().outcome, outcome::bad);
}

TEST(prober, nobody_there_is_a_finding) {
    std::uint16_t closed = 0;
    {
        played_server gone({});
        closed = gone.port;
    }
    const finding found = prober(usual()).run({{"127.0.0.1", closed, 10}}, "example.com");
    EXPECT_EQ(found.hosts[0].steps.back().name, "connect");
    EXPECT_EQ(found.hosts[0].steps.back().outcome, outcome::bad);
}

TEST(listeners, are_read_with_their_ports) {
    EXPECT_EQ(parse_listener("192.0.2.1:25")->address, "192.0.2.1");
    EXPECT_EQ(parse_listener("[::]:2525")->address, "::");
    EXPECT_EQ(parse_listener("[::]:2525")->port, 2525);
    for (const char* text :
         {"", "25", "192.0.2.1", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "::1:25", "host:25", "[::1]"}) {
        EXPECT_FALSE(parse_listener(text)) << text;
    }
}

}  // namespace
}  // namespace postern::probe
