#include "perf/rig/client_frames.h"

#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/tcp/segment.h"

namespace postern::perf::rig {
namespace {

constexpr std::size_t ip_at = 14;
constexpr std::size_t tcp_at = 34;
constexpr std::size_t options_at = 54;
constexpr std::size_t syn_headers = 14 + 20 + 40;
constexpr std::uint8_t protocol_tcp = 6;

/// What is the same in every frame: from the client, and not the ends, numbers and checksums.
constexpr std::array<std::uint8_t, syn_headers> pattern = [] {
    std::array<std::uint8_t, syn_headers> p{};
    for (std::size_t i = 0; i < 6; ++i) {
        p[i] = server_mac[i];
        p[6 + i] = client_mac[i];
    }
    p[12] = 0x08;
    std::uint8_t* const ip = p.data() + ip_at;
    ip[0] = 0x45;
    ip[6] = 0x40;  // DF
    ip[8] = 64;
    ip[9] = protocol_tcp;
    for (std::size_t i = 0; i < 4; ++i) {
        ip[16 + i] = server_address[12 + i];
    }
    std::uint8_t* const tcp = p.data() + tcp_at;
    tcp[3] = server_port;
    tcp[12] = 0x80;
    tcp[14] = 0x80;  // a window of 32 KiB and some, as said
    constexpr std::array<std::uint8_t, 20> options{1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 2, 4, 5, 0xb4, 4, 2, 1, 1};
    for (std::size_t i = 0; i < options.size(); ++i) {
        tcp[20 + i] = options[i];
    }
    return p;
}();

void put32(std::uint8_t* at, std::uint32_t value) noexcept {
    value = __builtin_bswap32(value);
    std::memcpy(at, &value, 4);
}

std::uint16_t tcp_checksum(const std::uint8_t* frame, std::size_t size) noexcept {
    // The addresses stand in front of the segment.
    return net::checksum_sum()
        .add({frame + ip_at + 12, 8 + size})
        .add16(protocol_tcp)
        .add16(static_cast<std::uint16_t>(size))
        .complement();
}

}  // namespace

std::size_t write_frame(const client_segment& s, std::size_t payload, std::span<std::uint8_t> out) noexcept {
    const bool syn = (s.flags & tcp::flag::syn) != 0;
    const std::size_t before = syn ? syn_headers : headers;
    std::uint8_t* const at = out.data();
    std::memcpy(at, pattern.data(), headers);
    std::uint8_t* const ip = at + ip_at;
    const std::size_t whole = before - ip_at + payload;
    net::write16(ip + 2, static_cast<std::uint16_t>(whole));
    put32(ip + 12, first_client + s.who.source);
    net::write16(ip + 10, net::checksum({ip, 20}));
    std::uint8_t* const tcp = at + tcp_at;
    net::write16(tcp, s.who.port);
    put32(tcp + 4, s.seq);
    put32(tcp + 8, s.ack);
    tcp[13] = s.flags;
    if (syn) {
        std::memcpy(at + headers, pattern.data() + headers, syn_headers - headers);
        tcp[12] = 0xa0;
    }
    put32(at + options_at + 4, s.timestamp);
    put32(at + options_at + 8, s.timestamp_echo);
    net::write16(tcp + 16, tcp_checksum(at, whole - 20));
    return before + payload;
}

reading read_frame(std::span<const std::uint8_t> frame, server_segment& out) noexcept {
    if (frame.size() < tcp_at + 20 || frame[12] != 0x08 || frame[13] != 0 || frame[ip_at] != 0x45 ||
        frame[ip_at + 9] != protocol_tcp) {
        return reading::other;
    }
    const std::size_t whole = net::read16(frame.data() + ip_at + 2);
    const std::uint8_t* const tcp = frame.data() + tcp_at;
    const std::size_t offset = static_cast<std::size_t>(tcp[12] >> 4U) * 4;
    if (whole > frame.size() - ip_at || whole < 20 + offset) {
        return reading::other;
    }
    if (net::checksum({frame.data() + ip_at, 20}) != 0 || tcp_checksum(frame.data(), whole - 20) != 0) {
        return reading::bad_checksum;
    }
    out.to = {net::read32(frame.data() + ip_at + 16) - first_client, net::read16(tcp + 2)};
    out.seq = net::read32(tcp + 4);
    out.flags = tcp[13];
    // Wherever the server puts it among the options: behind SACK-permitted or padding of two octets.
    std::size_t option = 20;
    if (offset > 24 && tcp[option] == 2) {
        option += 4;  // MSS
    }
    out.timestamp = offset >= option + 12 && tcp[option + 2] == 8 ? net::read32(tcp + option + 4) : 0;
    out.payload = {reinterpret_cast<const char*>(tcp + offset), whole - 20 - offset};
    return reading::good;
}

}  // namespace postern::perf::rig
