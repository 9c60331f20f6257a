#include "control/recent/collector.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <mutex>
#include <sstream>
#include <thread>

#include "board/process/files.h"
#include "control/recent/recent_store.h"
#include "tests/control/directory/open_store.h"

namespace postern::recent {
namespace {

using directory::need;

/// The events of an edge as its socket tells them; one client at a time.
class told_edge {
public:
    explicit told_edge(const std::string& path) : _listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un at{};
        at.sun_family = AF_UNIX;
        std::memcpy(at.sun_path, path.data(), path.size());
        EXPECT_EQ(::bind(_listener.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
        EXPECT_EQ(::listen(_listener.get(), 4), 0);
        _thread = std::thread([this] { serve(); });
    }
    ~told_edge() {
        _over = true;
        ::shutdown(_listener.get(), SHUT_RDWR);
        _thread.join();
    }
    void add(const std::string& address) {
        const std::lock_guard hold(_mutex);
        _addresses.push_back(address);
    }
    void restart() {
        const std::lock_guard hold(_mutex);
        _run += "x";
        _addresses.clear();
        _acknowledged = 0;
    }
    std::uint64_t acknowledged() {
        const std::lock_guard hold(_mutex);
        return _acknowledged;
    }

private:
    void serve() {
        while (!_over) {
            const process::descriptor peer(::accept(_listener.get(), nullptr, nullptr));
            std::string pending;
            while (peer && !_over) {
                timeval soon{0, 20'000};
                ::setsockopt(peer.get(), SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
                char block[256];
                const ssize_t n = ::recv(peer.get(), block, sizeof block, 0);
                if (n == 0) {
                    break;
                }
                pending.append(block, n > 0 ? static_cast<std::size_t>(n) : 0);
                for (auto end = pending.find('\n'); end != std::string::npos; end = pending.find('\n')) {
                    const std::string reply = answer(pending.substr(0, end)) + "\n";
                    pending.erase(0, end + 1);
                    ::send(peer.get(), reply.data(), reply.size(), MSG_NOSIGNAL);
                }
            }
        }
    }
    std::string answer(const std::string& line) {
        const std::lock_guard hold(_mutex);
        std::istringstream words(line);
        std::string word;
        std::string argument;
        words >> word >> argument;
        if (argument == "ack") {
            words >> _acknowledged;
            return R"({"ok":true})";
        }
        std::string out = R"({"ok":true,"run":")" + _run + R"(","last":)" + std::to_string(_addresses.size()) +
                          R"(,"overwritten":0,"missed":0,"events":[)";
        bool first = true;
        for (std::size_t i = std::stoul(argument); i < _addresses.size(); ++i) {
            out += std::string(first ? "" : ",") + R"({"number":)" + std::to_string(i + 1) +
                   R"(,"at":1700000000000,"address":")" + _addresses[i] +
                   R"(","outcome":"rejected","domain":1,"source":"192.0.2.0/24"})";
            first = false;
        }
        return out + "]}";
    }

    process::descriptor _listener;
    std::atomic<bool> _over{false};
    std::mutex _mutex;
    std::string _run = "run";
    std::vector<std::string> _addresses;
    std::uint64_t _acknowledged = 0;
    std::thread _thread;
};

template <class F>
bool eventually(F&& holds) {
    for (int i = 0; i < 1000; ++i) {
        if (holds()) {
            return true;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
}

TEST(collector, takes_each_event_once_and_acknowledges_what_is_kept) {
    const directory::temporary_folder folder;
    const auto store = need(recent_store::open(folder.file("recent.db")));
    told_edge edge(folder.file("edge.sock"));
    edge.add("a@x.example");
    edge.add("b@x.example");
    const collector_options quick{std::chrono::milliseconds(5), std::chrono::milliseconds(2000)};
    {
        const collector fetches({store.get()}, {{"edge", folder.file("edge.sock")}}, quick);
        EXPECT_TRUE(eventually([&] { return edge.acknowledged() == 2; }));
        edge.add("a@x.example");
        EXPECT_TRUE(eventually([&] { return edge.acknowledged() == 3; }));
    }
    {
        const collector again({store.get()}, {{"edge", folder.file("edge.sock")}}, quick);
        edge.add("c@x.example");
        EXPECT_TRUE(eventually([&] { return edge.acknowledged() == 4; }));
        EXPECT_EQ(need(store->counts()).events, 4U) << "none twice, though the collector is another";
        edge.restart();
        edge.add("d@x.example");
        EXPECT_TRUE(eventually([&] { return edge.acknowledged() == 1; }));
    }
    EXPECT_EQ(need(store->counts()).events, 5U);
    EXPECT_EQ(need(store->counts()).addresses, 4U);
}

/// Takes what it is given, unless it is told to fail.
class scripted_consumer final : public consumer {
public:
    result<std::uint64_t> position(std::string_view /*edge*/, std::string_view /*run*/) override { return kept.load(); }
    result<void> take(const batch& told) override {
        if (fails.load()) {
            return directory::fail(directory::error_kind::busy, "not now");
        }
        for (const sighting& each : told.sightings) {
            twice = twice || each.number <= kept.load();
        }
        taken += told.sightings.size();
        kept = told.last;
        return {};
    }
    std::atomic<bool> fails{false};
    std::atomic<bool> twice{false};
    std::atomic<std::uint64_t> taken{0};
    std::atomic<std::uint64_t> kept{0};
};

TEST(collector, acknowledges_only_what_all_have_taken_and_gives_none_anything_twice) {
    const directory::temporary_folder folder;
    scripted_consumer first;
    scripted_consumer second;
    told_edge edge(folder.file("edge.sock"));
    edge.add("a@x.example");
    second.fails = true;
    const collector_options quick{std::chrono::milliseconds(5), std::chrono::milliseconds(2000)};
    const collector fetches({&first, &second}, {{"edge", folder.file("edge.sock")}}, quick);
    EXPECT_TRUE(eventually([&] { return first.taken == 1; }));
    edge.add("b@x.example");
    EXPECT_TRUE(eventually([&] { return first.taken == 2; })) << "one that fails does not hold up the other";
    EXPECT_EQ(edge.acknowledged(), 0U);
    second.fails = false;
    EXPECT_TRUE(eventually([&] { return edge.acknowledged() == 2; }));
    EXPECT_EQ(first.taken, 2U);
    EXPECT_EQ(second.taken, 2U);
    EXPECT_FALSE(first.twice || second.twice);
}

TEST(collector, ends_at_once_while_no_edge_answers) {
    const directory::temporary_folder folder;
    const auto store = need(recent_store::open(folder.file("recent.db")));
    const collector waits({store.get()}, {{"edge", folder.file("nobody.sock")}});
}

}  // namespace
}  // namespace postern::recent
