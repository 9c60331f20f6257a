// The short way in, against the long way: whatever it takes, the long way takes for the same segment; frames that are
// damaged, cut short or of another form are left to it.
#include "dataplane/port/plain_frame.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "dataplane/tcp/header.h"

namespace postern::port {
namespace {

class no_sink final : public net::frame_sink {
public:
    void send(net::octets) noexcept override {}
};

constexpr net::mac_address our_mac{0x02, 0, 0, 0, 0, 0x01};
constexpr net::mac_address peer_mac{0x02, 0, 0, 0, 0, 0x02};
constexpr net::ip_address ours = net::ipv4(192, 0, 2, 1);
constexpr net::ip_address peers = net::ipv4(198, 51, 100, 7);

net::interface_settings settings_of(net::vlan_id vlan) {
    net::interface_settings s;
    s.mac = our_mac;
    s.vlan = vlan;
    s.addresses = {{ours, 24}, {net::ipv4(192, 0, 2, 2), 24}};
    return s;
}

struct port_of_ours {
    explicit port_of_ours(net::vlan_id vlan = 0) : port(settings_of(vlan), sink, shard::instant(1)) {}
    no_sink sink;
    net::interface port;
};

/// A peer's segment with timestamps to us, in its frame.
std::vector<std::uint8_t> frame_with(std::string_view text, std::mt19937& random) {
    net::interface_settings s;
    s.mac = peer_mac;
    s.addresses = {{peers, 24}};
    no_sink sink;
    const net::interface peer(s, sink, shard::instant(1));
    const std::span<const char> payload(text);
    tcp::outgoing out;
    out.local = {peers, static_cast<std::uint16_t>(1 + random() % 65535)};
    out.peer = {ours, 25};
    out.seq = static_cast<std::uint32_t>(random());
    out.ack = static_cast<std::uint32_t>(random());
    out.window = static_cast<std::uint16_t>(random());
    out.flags = tcp::flag::ack | tcp::flag::psh;
    out.options.has_timestamps = true;
    out.options.timestamp = static_cast<std::uint32_t>(random());
    out.options.timestamp_echo = static_cast<std::uint32_t>(random());
    out.payload = {&payload, 1};
    out.payload_size = payload.size();
    std::vector<std::uint8_t> frame(plain_frame::payload_at + text.size());
    const std::size_t headers = peer.write_headers(frame, peers, ours, net::link_of(our_mac), net::protocol::tcp,
                                                   frame.size() - plain_frame::tcp_at);
    EXPECT_EQ(headers, plain_frame::tcp_at);
    EXPECT_EQ(tcp::write_segment(out, std::span(frame).subspan(headers)), frame.size() - headers);
    return frame;
}

received_frame received(const std::vector<std::uint8_t>& octets, bool ip_checked = false,
                        bool segment_checked = false) {
    received_frame f;
    f.octets = octets;
    f.ip_checked = ip_checked;
    f.segment_checked = segment_checked;
    return f;
}

bool read_plain(const received_frame& f, const net::interface& port, tcp::segment& out) {
    return plain_frame::read(f, port.untagged_link(), port, out);
}

/// What the long way makes of a frame; false: no segment.
bool read_at_length(const received_frame& f, net::interface& port, tcp::segment& out) {
    const auto verdict = port.input(f.octets, shard::instant(1), f.ip_checked ? net::checked::yes : net::checked::no);
    out.link = verdict.link;
    return verdict.is == net::interface::verdict::what::segment &&
           tcp::read_segment(out, {verdict.packet.from, 0}, {verdict.packet.to, 0}, verdict.packet.payload,
                             f.segment_checked ? tcp::checksum_state::good : tcp::checksum_state::verify);
}

void expect_same(const tcp::segment& a, const tcp::segment& b) {
    EXPECT_EQ(a.peer, b.peer);
    EXPECT_EQ(a.local, b.local);
    EXPECT_EQ(a.seq, b.seq);
    EXPECT_EQ(a.ack, b.ack);
    EXPECT_EQ(a.window, b.window);
    EXPECT_EQ(a.flags, b.flags);
    EXPECT_EQ(a.link, b.link);
    EXPECT_EQ(a.payload.data(), b.payload.data());
    EXPECT_EQ(a.payload.size(), b.payload.size());
    EXPECT_EQ(a.options.timestamp, b.options.timestamp);
    EXPECT_EQ(a.options.timestamp_echo, b.options.timestamp_echo);
    EXPECT_EQ(a.options.has_timestamps, b.options.has_timestamps);
    EXPECT_EQ(a.options.has_window_scale, b.options.has_window_scale);
    EXPECT_EQ(a.options.window_scale, b.options.window_scale);
    EXPECT_EQ(a.options.sack_permitted, b.options.sack_permitted);
    EXPECT_EQ(a.options.mss, b.options.mss);
    EXPECT_EQ(a.options.sack_blocks, b.options.sack_blocks);
}

/// A segment whose every option was there in the frame before.
tcp::segment used_before() {
    tcp::segment s;
    s.options.mss = 1460;
    s.options.window_scale = 7;
    s.options.has_window_scale = true;
    s.options.sack_permitted = true;
    s.options.sack_blocks = 2;
    return s;
}

TEST(plain_frame, is_read_as_at_length_whatever_its_payload) {
    std::mt19937 random(1);
    port_of_ours at;
    for (std::size_t size = 0; size <= 200; ++size) {
        std::vector<std::uint8_t> frame = frame_with(std::string(size, static_cast<char>('a' + size % 26)), random);
        for (const std::size_t padding : {0U, 1U, 6U}) {  // short frames have it, and it is not TCP's
            frame.resize(plain_frame::payload_at + size + padding, 0x5a);
            tcp::segment quick = used_before();
            tcp::segment whole;
            ASSERT_TRUE(read_plain(received(frame), at.port, quick)) << size;
            ASSERT_TRUE(read_at_length(received(frame), at.port, whole)) << size;
            expect_same(quick, whole);
        }
    }
}

TEST(plain_frame, of_changed_octets_is_read_only_as_at_length) {
    std::mt19937 random(2);
    port_of_ours at;
    unsigned taken = 0;
    for (unsigned i = 0; i < 50'000; ++i) {
        std::vector<std::uint8_t> frame = frame_with("RCPT TO:<somebody@example.org>\r\n", random);
        for (unsigned changes = random() % 3; changes != 0; --changes) {
            frame[random() % plain_frame::payload_at] ^= static_cast<std::uint8_t>(1U << random() % 8);
        }
        if (random() % 4 == 0) {
            frame.resize(random() % (frame.size() + 1));
            frame.shrink_to_fit();  // a step too far is seen
        }
        const received_frame f = received(frame, random() % 2 == 0, random() % 2 == 0);
        tcp::segment quick = used_before();
        if (!read_plain(f, at.port, quick)) {
            continue;
        }
        ++taken;
        tcp::segment whole;
        ASSERT_TRUE(read_at_length(f, at.port, whole)) << i;
        expect_same(quick, whole);
    }
    EXPECT_GT(taken, 10'000U);
}

TEST(plain_frame, with_a_wrong_checksum_is_none_unless_the_nic_answers_for_it) {
    std::mt19937 random(3);
    port_of_ours at;
    tcp::segment s;
    std::vector<std::uint8_t> frame = frame_with("NOOP\r\n", random);
    frame.back() ^= 1U;
    EXPECT_FALSE(read_plain(received(frame), at.port, s));
    EXPECT_TRUE(read_plain(received(frame, false, true), at.port, s));
    frame[plain_frame::ip_at + 8] ^= 1U;  // time to live
    EXPECT_FALSE(read_plain(received(frame, false, true), at.port, s));
    EXPECT_TRUE(read_plain(received(frame, true, true), at.port, s));
}

TEST(plain_frame, is_none_on_a_port_whose_frames_have_tags) {
    std::mt19937 random(4);
    port_of_ours at(7);
    tcp::segment s;
    EXPECT_FALSE(read_plain(received(frame_with("NOOP\r\n", random)), at.port, s));
}

}  // namespace
}  // namespace postern::port
