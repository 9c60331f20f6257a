// One SMTP conversation over the endpoint, in order, reordered, doubled and split at every octet: the sessions' replies
// are those that they give over the transport in memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/dataplane/tcp/smtp_server.h"
#include "tests/size.h"

namespace postern::tcp::testing {
namespace {

/// Where a segment's octets are in the conversation.
struct piece {
    std::size_t at = 0;
    std::size_t size = 0;
};

class tcp_world {
public:
    std::string play(const std::vector<piece>& pieces, bool in_one_turn) {
        run({make(flag::syn, {})});
        _next += 1;
        run({make(flag::ack, {})});
        std::vector<segment> burst;
        for (const piece& p : pieces) {
            segment s = make(flag::ack | flag::psh, std::string_view(conversation).substr(p.at, p.size));
            s.seq = _isn + 1 + static_cast<std::uint32_t>(p.at);
            if (in_one_turn) {
                burst.push_back(s);
            } else {
                run({s});
            }
        }
        run(burst);
        _next = _isn + 1 + static_cast<std::uint32_t>(conversation.size());
        for (int i = 0; i < 20; ++i) {
            _server.time += 100ms;
            run({make(flag::ack, {})});
        }
        EXPECT_TRUE(_server.tcp.consistent());
        std::string all;
        for (const auto& [at, part] : _heard) {
            EXPECT_EQ(at, all.size()) << "a hole";
            all += part;
        }
        return all;
    }
    bool saw_fin() const { return _fin; }

private:
    segment make(std::uint8_t flags, std::string_view octets) const {
        segment s;
        s.peer = ipv4(192, 0, 2, 1, 40000);
        s.local = server_v4;
        s.seq = _next;
        s.ack = _ack;
        s.flags = flags;
        s.window = 65535;
        s.options.mss = (flags & flag::syn) != 0 ? 1460 : 0;
        s.payload = {octets.data(), octets.size()};
        return s;
    }
    void run(const std::vector<segment>& burst) {
        _server.take(burst);
        for (; !_server.port.out.empty(); _server.port.out.pop_front()) {
            const sent_segment& s = _server.port.out.front();
            if (s.has(flag::syn)) {
                _server_isn = s.head.seq;
            } else if (!s.payload.empty()) {
                _heard.emplace(s.head.seq - _server_isn - 1, s.payload);
            }
            _fin = _fin || s.has(flag::fin);
            _ack = seq_max(_ack, s.end());
            if (s.has(flag::syn)) {
                _ack = s.end();
            }
        }
    }

    smtp_server _server;
    std::uint32_t _isn = 0xfffffff0U;
    std::uint32_t _next = 0xfffffff0U;
    std::uint32_t _ack = 0;
    std::uint32_t _server_isn = 0;
    std::map<std::uint32_t, std::string> _heard;
    bool _fin = false;
};

std::vector<piece> pieces_of(std::size_t size) {
    std::vector<piece> all;
    for (std::size_t at = 0; at < conversation.size(); at += size) {
        all.push_back({at, std::min(size, conversation.size() - at)});
    }
    return all;
}

std::string over_tcp(const std::vector<piece>& pieces, bool in_one_turn) {
    tcp_world w;
    std::string heard = w.play(pieces, in_one_turn);
    EXPECT_TRUE(w.saw_fin()) << "QUIT ends it";
    return heard;
}

TEST(smtp_over_tcp, in_one_segment_as_over_memory) {
    const std::string expected = over_memory();
    ASSERT_NE(expected.find("550 5.1.1"), std::string::npos) << expected;
    ASSERT_NE(expected.find("221 "), std::string::npos) << expected;
    EXPECT_EQ(over_tcp({{0, conversation.size()}}, false), expected);
}

TEST(smtp_over_tcp, split_at_every_octet) {
    const std::string expected = over_memory();
    for (std::size_t at = 1; at < conversation.size(); ++at) {
        EXPECT_EQ(over_tcp({{0, at}, {at, conversation.size() - at}}, false), expected) << at;
        EXPECT_EQ(over_tcp({{at, conversation.size() - at}, {0, at}}, true), expected) << at << ", the second first";
    }
}

TEST(smtp_over_tcp, octet_by_octet) {
    const std::string expected = over_memory();
    EXPECT_EQ(over_tcp(pieces_of(1), false), expected);
    EXPECT_EQ(over_tcp(pieces_of(1), true), expected) << "all in one turn";
}

TEST(smtp_over_tcp, reordered_doubled_and_overlapping) {
    const std::string expected = over_memory();
    std::mt19937 random(1);
    const int tries = postern::tests::sized(40, 2000);
    for (int i = 0; i < tries; ++i) {
        std::vector<piece> pieces = pieces_of(5 + random() % 40);
        for (std::size_t n = pieces.size() / 3; n > 0; --n) {
            const std::size_t at = random() % conversation.size();
            pieces.push_back({at, 1 + random() % std::min<std::size_t>(60, conversation.size() - at)});
        }
        std::shuffle(pieces.begin(), pieces.end(), random);
        const bool in_one_turn = i % 2 == 0;
        // At most 32 holes are remembered: what was dropped comes again, in order.
        const std::vector<piece> again = pieces_of(100);
        pieces.insert(pieces.end(), again.begin(), again.end());
        EXPECT_EQ(over_tcp(pieces, in_one_turn), expected) << i;
    }
}

}  // namespace
}  // namespace postern::tcp::testing
