// The TCP header: round trips, the checksum, and options malformed in every way.
#include "dataplane/tcp/header.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/dataplane/tcp/bench.h"

namespace postern::tcp {
namespace {

using testing::ipv4;
using testing::ipv6;

const shard::endpoint from4 = ipv4(192, 0, 2, 1, 40000);
const shard::endpoint to4 = ipv4(198, 51, 100, 1, 25);

std::vector<std::uint8_t> written(const outgoing& s) {
    std::vector<std::uint8_t> octets(header_size(s) + s.payload_size);
    EXPECT_EQ(write_segment(s, octets), octets.size());
    return octets;
}

outgoing usual(const shard::endpoint& from = from4, const shard::endpoint& to = to4) {
    outgoing s;
    s.local = from;
    s.peer = to;
    s.seq = 0x01020304;
    s.ack = 0xfffefdfc;
    s.window = 0x1234;
    s.flags = flag::ack | flag::psh;
    return s;
}

/// A header with these octets as its options, padded to words by `pad`.
std::vector<std::uint8_t> with_options(std::vector<std::uint8_t> options, std::uint8_t pad = 0) {
    while (options.size() % 4 != 0) {
        options.push_back(pad);
    }
    std::vector<std::uint8_t> octets = written(usual());
    octets.insert(octets.end(), options.begin(), options.end());
    octets[12] = static_cast<std::uint8_t>((20 + options.size()) / 4 << 4);
    return octets;
}

tl::expected<segment, header_error> read(const std::vector<std::uint8_t>& octets,
                                         checksum_state state = checksum_state::good) {
    return read_segment(from4, to4, octets, state);
}

TEST(header, fields_come_back_as_they_were_written) {
    for (const auto& [from, to] : {std::pair{from4, to4}, std::pair{ipv6(9, 40000), ipv6(1, 25)}}) {
        outgoing s = usual(from, to);
        const std::string text = "MAIL FROM:<a@example.com>\r\n";
        const std::vector<std::span<const char>> parts = {std::span(text).first(3), std::span(text).subspan(3, 8),
                                                          std::span(text).subspan(11)};
        s.payload = parts;
        s.payload_size = text.size();
        s.options.has_timestamps = true;
        s.options.timestamp = 0xdeadbeef;
        s.options.timestamp_echo = 7;
        s.options.sack_blocks = 3;
        s.options.sack = {{{1, 2}, {0xfffffff0, 5}, {9, 10}, {}}};
        const auto octets = written(s);
        EXPECT_EQ(octets.size(), 20u + 12 + 4 + 24 + text.size());
        const auto back = read_segment(from, to, octets);
        ASSERT_TRUE(back);
        EXPECT_EQ(back->peer, from);
        EXPECT_EQ(back->local, to);
        EXPECT_EQ(back->seq, s.seq);
        EXPECT_EQ(back->ack, s.ack);
        EXPECT_EQ(back->window, s.window);
        EXPECT_EQ(back->flags, s.flags);
        EXPECT_EQ(std::string(back->payload.data(), back->payload.size()), text);
        EXPECT_EQ(back->options.timestamp, s.options.timestamp);
        EXPECT_EQ(back->options.timestamp_echo, s.options.timestamp_echo);
        EXPECT_EQ(back->options.sack_blocks, 3);
        EXPECT_EQ(back->options.sack, s.options.sack);
    }
}

TEST(header, options_of_a_syn_come_back) {
    for (unsigned which = 0; which < 16; ++which) {
        outgoing s = usual();
        s.flags = flag::syn;
        s.options.mss = (which & 1U) != 0 ? 1460 : 0;
        s.options.has_window_scale = (which & 2U) != 0;
        s.options.window_scale = (which & 2U) != 0 ? 7 : 0;
        s.options.sack_permitted = (which & 4U) != 0;
        s.options.has_timestamps = (which & 8U) != 0;
        s.options.timestamp = (which & 8U) != 0 ? 99 : 0;
        const auto octets = written(s);
        EXPECT_EQ(octets.size() % 4, 0u);
        const auto back = read_segment(from4, to4, octets);
        ASSERT_TRUE(back) << which;
        EXPECT_EQ(back->options.mss, s.options.mss);
        EXPECT_EQ(back->options.has_window_scale, s.options.has_window_scale);
        EXPECT_EQ(back->options.window_scale, s.options.window_scale);
        EXPECT_EQ(back->options.sack_permitted, s.options.sack_permitted);
        EXPECT_EQ(back->options.has_timestamps, s.options.has_timestamps);
        EXPECT_EQ(back->options.timestamp, s.options.timestamp);
    }
}

TEST(header, checksum_of_a_known_segment) {
    // 192.0.2.1:40000 -> 198.51.100.1:25, SYN, as an independent sum gives it.
    outgoing s = usual();
    s.seq = 0;
    s.ack = 0;
    s.window = 0;
    s.flags = flag::syn;
    const auto octets = written(s);
    const std::uint32_t words[] = {0xc000, 0x0201, 0xc633, 0x6401, 6, 20, 40000, 25, 0x5002};
    std::uint32_t sum = 0;
    for (const std::uint32_t w : words) {
        sum += w;
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    EXPECT_EQ(octets[16] << 8 | octets[17], static_cast<int>(~sum & 0xffff));
}

TEST(header, any_flipped_bit_is_noticed) {
    outgoing s = usual();
    const std::string text = "odd";
    const std::span<const char> part = text;
    s.payload = {&part, 1};
    s.payload_size = text.size();
    const auto octets = written(s);
    ASSERT_TRUE(read(octets, checksum_state::verify));
    for (std::size_t bit = 0; bit < octets.size() * 8; ++bit) {
        auto broken = octets;
        broken[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
        EXPECT_FALSE(read(broken, checksum_state::verify)) << "bit " << bit;
    }
    const auto other = read_segment(ipv4(192, 0, 2, 2, 0), to4, octets);
    ASSERT_FALSE(other) << "another source";
    EXPECT_EQ(other.error(), header_error::bad_checksum);
    EXPECT_TRUE(read_segment(ipv4(192, 0, 2, 2, 0), to4, octets, checksum_state::good)) << "the NIC's word counts";
}

TEST(header, the_pseudo_header_alone_is_left_for_the_nic) {
    const outgoing s = usual();
    std::vector<std::uint8_t> octets(20);
    ASSERT_EQ(write_segment(s, octets, checksum_by::nic), 20u);
    // What a NIC does: the sum over the segment, the field as it stands included.
    const std::uint16_t field = static_cast<std::uint16_t>(octets[16] << 8 | octets[17]);
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < octets.size(); i += 2) {
        sum += static_cast<std::uint32_t>(octets[i] << 8 | octets[i + 1]);
    }
    EXPECT_NE(field, 0);
    while (sum > 0xffff) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    const auto filled = static_cast<std::uint16_t>(~sum);
    octets[16] = static_cast<std::uint8_t>(filled >> 8);
    octets[17] = static_cast<std::uint8_t>(filled);
    EXPECT_EQ(checksum(from4, to4, octets), 0);
}

TEST(header, short_and_crooked_headers) {
    const auto whole = written(usual());
    for (std::size_t n = 0; n < 20; ++n) {
        const auto got = read({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n)});
        ASSERT_FALSE(got) << n;
        EXPECT_EQ(got.error(), header_error::too_short);
    }
    for (unsigned words = 0; words < 16; ++words) {
        auto octets = whole;
        octets[12] = static_cast<std::uint8_t>(words << 4);
        const auto got = read(octets);
        if (words == 5) {
            EXPECT_TRUE(got);
        } else {
            ASSERT_FALSE(got) << words;
            EXPECT_EQ(got.error(), words < 5 ? header_error::bad_offset : header_error::too_short);
        }
    }
    for (const std::size_t at : {0U, 2U}) {
        auto octets = whole;
        octets[at] = octets[at + 1] = 0;
        ASSERT_FALSE(read(octets));
        EXPECT_EQ(read(octets).error(), header_error::no_port);
    }
}

TEST(header, a_list_of_options_that_cannot_be_walked_spoils_the_segment) {
    const std::vector<std::vector<std::uint8_t>> lists = {
        {2},              // a kind and nothing
        {2, 0, 5, 0xb4},  // length 0
        {2, 1, 5, 0xb4},  // length 1
        {2, 5, 5, 0xb4},  // beyond the header
        {99, 255},        // an unknown one too
        {1, 1, 8, 10, 0, 0, 0, 0},
        {1, 1, 1, 8},
        {5, 41, 0, 0},
    };
    for (const auto& list : lists) {
        const auto got = read(with_options(list, 1));
        if (list.size() == 1) {
            continue;  // padded, kind 2 has a length: the next case
        }
        ASSERT_FALSE(got) << int{list[0]} << " " << int{list[1]};
        EXPECT_EQ(got.error(), header_error::bad_options);
    }
    EXPECT_FALSE(read(with_options({1, 1, 1, 2})));
}

TEST(header, options_of_the_wrong_length_are_passed_over) {
    const std::vector<std::vector<std::uint8_t>> lists = {
        {2, 2},       {2, 3, 5}, {2, 6, 5, 0xb4, 0, 0}, {3, 2},  {3, 4, 7, 7},        {4, 3, 0}, {8, 2},
        {8, 4, 0, 0}, {5, 2},    {5, 6, 0, 0, 0, 1},    {99, 2}, {99, 6, 1, 2, 3, 4},
    };
    for (const auto& list : lists) {
        auto behind = list;
        behind.insert(behind.end(), {2, 4, 0x05, 0xb4});
        const auto got = read(with_options(behind));
        ASSERT_TRUE(got) << int{list[0]} << " " << int{list[1]};
        EXPECT_EQ(got->options.mss, 1460);
        EXPECT_FALSE(got->options.has_window_scale);
        EXPECT_FALSE(got->options.has_timestamps);
        EXPECT_FALSE(got->options.sack_permitted);
        EXPECT_EQ(got->options.sack_blocks, 0);
    }
}

TEST(header, nothing_counts_behind_the_end_of_the_list) {
    const auto got = read(with_options({0, 2, 4, 0x05, 0xb4}));
    ASSERT_TRUE(got);
    EXPECT_EQ(got->options.mss, 0);
}

TEST(header, the_last_of_two_counts_and_the_scale_is_bounded) {
    const auto got = read(with_options({2, 4, 1, 0, 2, 4, 2, 0, 3, 3, 15}));
    ASSERT_TRUE(got);
    EXPECT_EQ(got->options.mss, 512);
    EXPECT_EQ(got->options.window_scale, 14) << "RFC 7323 2.3";
}

TEST(header, random_octets_are_read_within_their_bounds) {
    std::mt19937 random(1);
    std::size_t good = 0;
    for (int i = 0; i < 20'000; ++i) {
        // Exact copies on the heap: ASan sees a step too far.
        std::vector<std::uint8_t> octets(random() % 80);
        for (std::uint8_t& o : octets) {
            o = static_cast<std::uint8_t>(random());
        }
        if (octets.size() > 12) {
            octets[12] = static_cast<std::uint8_t>((5 + random() % 11) << 4);
        }
        octets.shrink_to_fit();
        if (const auto got = read(octets)) {
            ++good;
            EXPECT_LE(got->payload.size(), octets.size() - 20);
        }
    }
    EXPECT_GT(good, 500u);
}

TEST(header, what_does_not_fit_is_not_written) {
    const outgoing s = usual();
    std::vector<std::uint8_t> octets(19);
    EXPECT_EQ(write_segment(s, octets), 0u);
}

}  // namespace
}  // namespace postern::tcp
