#include "dataplane/edge/socket_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <cstring>
#include <future>
#include <memory>
#include <thread>

#include "dataplane/edge/environment.h"
#include "fake_view.h"
#include "table_files.h"

namespace postern::edge {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr int patience_ms = 20'000;  // only reached when a test fails

/// A client of the edge socket. Reads are bounded by `patience_ms`.
class client {
public:
    explicit client(const std::string& path) : _socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.data(), path.size());
        EXPECT_EQ(::connect(_socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    }
    void send(std::string_view octets) {
        while (!octets.empty()) {
            const ssize_t n = ::send(_socket.get(), octets.data(), octets.size(), MSG_NOSIGNAL);
            if (n <= 0) {
                return;  // cut off: what the test then reads shows it
            }
            octets.remove_prefix(static_cast<std::size_t>(n));
        }
    }
    /// The next line without its LF; "(end)" if the connection is over.
    std::string line() {
        std::size_t end = 0;
        while ((end = _pending.find('\n')) == std::string::npos) {
            pollfd ready{_socket.get(), POLLIN, 0};
            if (::poll(&ready, 1, patience_ms) != 1) {
                return "(nothing came)";
            }
            std::array<char, 4096> block{};
            const ssize_t n = ::recv(_socket.get(), block.data(), block.size(), 0);
            if (n <= 0) {
                return "(end)";
            }
            _pending.append(block.data(), static_cast<std::size_t>(n));
        }
        std::string out = _pending.substr(0, end);
        _pending.erase(0, end + 1);
        return out;
    }

private:
    process::descriptor _socket;
    std::string _pending;
};

struct socket_server_test : ::testing::Test {
    socket_server_test()
        : server(context, std::move(*create_edge_socket(path, std::nullopt)), holder, view),
          thread([this] { context.run(); }) {}
    ~socket_server_test() override {
        boost::asio::post(context, [this] {
            server.stop();
            context.stop();
        });
        thread.join();
    }

    temporary_folder folder;
    std::string path = folder.path("edge.sock");
    fake_view view;
    std::promise<void> shards_waited_for;
    std::promise<void> shards_quiescent;
    table_holder holder{folder.fd(), folder.fd(), [this] {
                            shards_waited_for.set_value();
                            shards_quiescent.get_future().wait();
                        }};
    boost::asio::io_context context{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{context.get_executor()};
    socket_server server;
    std::thread thread;
};

TEST_F(socket_server_test, each_line_gets_one_line_in_order) {
    client who(path);
    who.send("show sessions\r\nnonsense\nshow table\n\ndrain\n");
    EXPECT_THAT(who.line(), StartsWith(R"({"ok":true,"sessions":5)"));
    EXPECT_THAT(who.line(), HasSubstr("is not a command"));
    EXPECT_THAT(who.line(), StartsWith(R"({"ok":true,"loaded":false)"));
    EXPECT_THAT(who.line(), HasSubstr("empty line"));
    EXPECT_EQ(who.line(), R"({"ok":true})");
}

TEST_F(socket_server_test, lines_come_in_any_pieces) {
    client who(path);
    for (const char c : std::string_view("show sessions\nshow ver")) {
        who.send({&c, 1});
    }
    EXPECT_THAT(who.line(), StartsWith(R"({"ok":true,"sessions":5)"));
    who.send("sion\n");
    EXPECT_THAT(who.line(), HasSubstr("\"uptime_s\":77"));
}

TEST_F(socket_server_test, quit_ends_the_connection_and_nothing_behind_it_is_read) {
    client who(path);
    who.send("quit\nshow version\n");
    EXPECT_EQ(who.line(), R"({"ok":true})");
    EXPECT_EQ(who.line(), "(end)");
}

TEST_F(socket_server_test, a_line_that_is_too_long_is_told_and_ends_the_connection) {
    client who(path);
    who.send("show version\n" + std::string(20'000, 'x'));
    EXPECT_THAT(who.line(), HasSubstr("\"ok\":true"));
    EXPECT_THAT(who.line(), HasSubstr("longer than 4096"));
    EXPECT_EQ(who.line(), "(end)");
}

TEST_F(socket_server_test, the_longest_line_is_taken) {
    client who(path);
    who.send("explain " + std::string(longest_command - 8, 'a') + "\r\nshow sessions\n");
    EXPECT_THAT(who.line(), HasSubstr("aaaa"));
    EXPECT_THAT(who.line(), HasSubstr("sessions"));
}

TEST_F(socket_server_test, one_client_too_many_is_told) {
    std::vector<std::unique_ptr<client>> all;
    for (std::size_t i = 0; i < socket_server::most_clients; ++i) {
        all.push_back(std::make_unique<client>(path));
        all.back()->send("help\n");
        EXPECT_THAT(all.back()->line(), HasSubstr("commands"));
    }
    client last(path);
    EXPECT_THAT(last.line(), HasSubstr("too many clients"));
    EXPECT_EQ(last.line(), "(end)");
    // A place that is given back is taken again.
    all.front()->send("quit\n");
    EXPECT_THAT(all.front()->line(), HasSubstr("true"));
    EXPECT_EQ(all.front()->line(), "(end)");
    client next(path);
    next.send("help\n");
    EXPECT_THAT(next.line(), HasSubstr("commands"));
}

TEST_F(socket_server_test, a_commit_answers_when_the_shards_use_it_and_delays_no_other_client) {
    make_base(folder.path("b1"), 1, {"a@example.com"});
    client committing(path);
    committing.send("table prepare b1\ntable commit\n");
    EXPECT_THAT(committing.line(), HasSubstr("prepared"));
    shards_waited_for.get_future().wait();
    client other(path);
    other.send("show sessions\n");
    EXPECT_THAT(other.line(), HasSubstr("sessions"));
    shards_quiescent.set_value();
    EXPECT_EQ(committing.line(), R"({"ok":true,"generation":1,"base":"b1","overlay":null})");
}

}  // namespace
}  // namespace postern::edge
