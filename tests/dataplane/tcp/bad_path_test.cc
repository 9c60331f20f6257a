// A client that follows a script and has no TCP, over a simulated network that loses, doubles, reorders and breaks
// segments: the sessions' replies are those over the transport in memory.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/tcp/header.h"
#include "tests/dataplane/tcp/smtp_server.h"
#include "tests/size.h"
#include "tests/wire/tampering.h"

namespace postern::tcp::testing {
namespace {

/// Says the conversation in pieces of 23 octets, again every 200 ms from what was not acknowledged on, and acknowledges
/// what came in a row.
class scripted_client {
public:
    explicit scripted_client(const wire::path& p) : _path(p) {}

    /// All that it heard until the server had closed; nothing if that did not happen within an hour.
    std::string play() {
        for (int turn = 0; turn < 360'000 && !_closed; ++turn) {
            if (turn % 20 == 0) {
                speak();
            }
            deliver();
            _server.time += 10ms;
        }
        return _closed ? _heard : std::string();
    }
    /// The server's side is at rest in the end.
    bool nothing_is_left() {
        for (int turn = 0; turn < 2000; ++turn) {
            if (turn % 10 == 0 && turn < 200) {
                send(flag::fin | flag::ack, conversation.size(), 0);
            }
            deliver();
            _server.time += 100ms;
        }
        return _server.tcp.connections() == 0 && _server.tcp.buffered() == 0 && _server.tcp.timers() == 0 &&
               _server.tcp.consistent();
    }
    std::size_t broken() const { return _broken; }

private:
    static constexpr std::size_t piece = 23;
    struct travelling {
        bool to_server = false;
        std::vector<std::uint8_t> octets;
    };

    void speak() {
        if (!_open) {
            cross({.local = self, .peer = server_v4, .seq = isn, .window = 65535, .flags = flag::syn}, true);
            return;
        }
        if (_heard.empty()) {
            send(flag::ack, 0, 0);  // who talks before the greeting is turned away
            return;
        }
        for (std::size_t at = _acknowledged; at < std::min(conversation.size(), _acknowledged + 8 * piece);
             at += piece) {
            send(flag::ack | flag::psh, at, std::min(piece, conversation.size() - at));
        }
        if (_acknowledged == conversation.size()) {
            send(flag::ack, _acknowledged, 0);
        }
    }
    void send(std::uint8_t flags, std::size_t at, std::size_t size) {
        const std::span<const char> part(conversation.data() + at, size);
        outgoing s{.local = self,
                   .peer = server_v4,
                   .seq = isn + 1 + static_cast<std::uint32_t>(at),
                   .ack = _expected,
                   .window = 65535,
                   .flags = flags};
        s.payload = {&part, 1};
        s.payload_size = size;
        cross(s, true);
    }
    void cross(const outgoing& s, bool to_server) {
        std::vector<std::uint8_t> octets(header_size(s) + s.payload_size);
        write_segment(s, octets);
        _path.cross(s, to_server ? 1 : 0, _server.time, std::move(octets),
                    [&](shard::instant at, std::vector<std::uint8_t> whole) {
                        _way.emplace(at, travelling{to_server, std::move(whole)});
                    });
    }
    void deliver() {
        std::vector<travelling> due;
        for (; !_way.empty() && _way.begin()->first <= _server.time; _way.erase(_way.begin())) {
            due.push_back(std::move(_way.begin()->second));
        }
        std::vector<segment> burst;
        for (const travelling& one : due) {
            const auto read =
                one.to_server ? read_segment(self, server_v4, one.octets) : read_segment(server_v4, self, one.octets);
            if (!read) {
                ++_broken;
            } else if (one.to_server) {
                burst.push_back(*read);
            } else {
                hear(*read);
            }
        }
        _server.take(burst);
        for (; !_server.port.out.empty(); _server.port.out.pop_front()) {
            sent_segment& sent = _server.port.out.front();
            const std::span<const char> whole(sent.payload);
            sent.head.payload = {&whole, 1};
            cross(sent.head, false);
        }
    }
    void hear(const segment& s) {
        if (s.has(flag::syn)) {
            _expected = _open ? _expected : s.seq + 1;
            _open = true;
            return;
        }
        _acknowledged = std::max<std::size_t>(_acknowledged, s.ack - isn - 1);
        const std::uint32_t known = _expected - s.seq;  // octets of it that came before
        if (known <= s.payload.size()) {
            _heard.append(s.payload.data() + known, s.payload.size() - known);
            _expected = s.seq + static_cast<std::uint32_t>(s.payload.size());
            if (s.has(flag::fin) && !_closed) {
                _closed = true;
                ++_expected;
            }
        }
    }

    static inline const shard::endpoint self = ipv4(192, 0, 2, 1, 40000);
    static constexpr std::uint32_t isn = 0xffffff00U;

    smtp_server _server;
    wire::tampering<outgoing> _path;
    std::multimap<shard::instant, travelling> _way;
    std::string _heard;
    std::uint32_t _expected = 0;
    std::size_t _acknowledged = 0;
    std::size_t _broken = 0;
    bool _open = false;
    bool _closed = false;
};

TEST(bad_path, a_scripted_client_hears_the_same_at_any_loss) {
    const std::string expected = over_memory();
    for (const unsigned lost : {0U, 10U, 100U, 300U}) {
        for (unsigned seed = 1; seed <= postern::tests::sized(3U, 100U); ++seed) {
            scripted_client c({.lost = lost, .seed = seed});
            ASSERT_EQ(c.play(), expected) << lost << " of 1000 lost, seed " << seed;
            EXPECT_TRUE(c.nothing_is_left()) << lost << " of 1000 lost, seed " << seed;
        }
    }
}

TEST(bad_path, a_scripted_client_hears_the_same_whatever_else_happens) {
    const std::string expected = over_memory();
    std::size_t broken = 0;
    for (unsigned seed = 1; seed <= postern::tests::sized(10U, 500U); ++seed) {
        scripted_client c({.lost = 50, .duplicated = 100, .reordered = 300, .corrupted = 50, .seed = seed});
        ASSERT_EQ(c.play(), expected) << "seed " << seed;
        EXPECT_TRUE(c.nothing_is_left()) << "seed " << seed;
        broken += c.broken();
    }
    EXPECT_GT(broken, 0U) << "the checksum had nothing to do";
}

}  // namespace
}  // namespace postern::tcp::testing
