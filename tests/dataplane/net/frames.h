// Frames for the tests, made by hand and not by the code under test: every field is written where its RFC has it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/net/interface.h"

namespace postern::net::testing {

using bytes = std::vector<std::uint8_t>;

inline const mac_address our_mac{0x02, 0, 0, 0, 0, 0x01};
inline const mac_address their_mac{0x02, 0, 0, 0, 0, 0x99};
inline const mac_address third_mac{0x02, 0, 0, 0, 0, 0x77};
inline const ip_address our_ip = ipv4(192, 0, 2, 1);
inline const ip_address their_ip = ipv4(192, 0, 2, 9);
inline const ip_address far_ip = ipv4(198, 51, 100, 7);
inline const ip_address our_ip6{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01};
inline const ip_address their_ip6{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x09};

/// "0a 0b0c": octets from hexadecimal digits; blanks are ignored.
inline bytes hex(std::string_view text) {
    bytes out;
    std::string digits;
    for (const char c : text) {
        if (c != ' ' && c != '\n') {
            digits += c;
        }
    }
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
        out.push_back(static_cast<std::uint8_t>(std::stoul(digits.substr(i, 2), nullptr, 16)));
    }
    return out;
}

inline bytes join(std::initializer_list<bytes> parts) {
    bytes out;
    for (const bytes& part : parts) {
        out.insert(out.end(), part.begin(), part.end());
    }
    return out;
}

template <class Array>
bytes of(const Array& array) {
    return bytes(array.begin(), array.end());
}
inline bytes of4(const ip_address& ip) {
    return bytes(ip.begin() + 12, ip.end());
}
inline bytes be16(std::size_t value) {
    return {static_cast<std::uint8_t>(value >> 8U), static_cast<std::uint8_t>(value)};
}

/// RFC 1071, the plain way: one octet pair after the other.
inline std::uint16_t plain_checksum(const bytes& text) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        sum += static_cast<std::uint32_t>(text[i] << 8U) + (i + 1 < text.size() ? text[i + 1] : 0U);
        sum = (sum & 0xffffU) + (sum >> 16U);
    }
    return static_cast<std::uint16_t>(~sum);
}

inline bytes ethernet(const bytes& payload, std::string_view type, const mac_address& to = our_mac,
                      const mac_address& from = their_mac) {
    return join({of(to), of(from), hex(type), payload});
}

struct v4 {
    ip_address from = their_ip;
    ip_address to = our_ip;
    std::uint8_t protocol = 6;
    std::uint16_t fragment = 0x4000;
    bytes options;
    std::uint8_t ttl = 64;
};
inline bytes packet(const v4& fields, const bytes& payload) {
    const std::size_t header = 20 + fields.options.size();
    bytes out = join({{static_cast<std::uint8_t>(0x40U | header / 4), 0},
                      be16(header + payload.size()),
                      be16(0x1234),
                      be16(fields.fragment),
                      {fields.ttl, fields.protocol, 0, 0},
                      of4(fields.from),
                      of4(fields.to),
                      fields.options});
    const bytes sum = be16(plain_checksum(out));
    out[10] = sum[0];
    out[11] = sum[1];
    return join({out, payload});
}

struct v6 {
    ip_address from = their_ip6;
    ip_address to = our_ip6;
    std::uint8_t next = 6;
    std::uint8_t hop_limit = 64;
};
inline bytes packet(const v6& fields, const bytes& payload) {
    return join({hex("60000000"),
                 be16(payload.size()),
                 {fields.next, fields.hop_limit},
                 of(fields.from),
                 of(fields.to),
                 payload});
}

/// An ICMP message with its checksum set, over the pseudo-header for IPv6.
inline bytes icmp4(bytes message) {
    const bytes sum = be16(plain_checksum(message));
    message[2] = sum[0];
    message[3] = sum[1];
    return message;
}
inline bytes icmp6(const v6& fields, bytes message) {
    const bytes pseudo = join({of(fields.from), of(fields.to), {0, 0}, be16(message.size()), {0, 0, 0, 58}, message});
    const bytes sum = be16(plain_checksum(pseudo));
    message[2] = sum[0];
    message[3] = sum[1];
    return message;
}

inline bytes arp(bool request, const mac_address& sender_mac, const ip_address& sender, const mac_address& target_mac,
                 const ip_address& target) {
    return join(
        {hex("0001 0800 06 04"), be16(request ? 1 : 2), of(sender_mac), of4(sender), of(target_mac), of4(target)});
}

/// Keeps what was sent.
class kept_frames final : public frame_sink {
public:
    void send(octets frame) noexcept override { frames.push_back(of(frame)); }
    bytes take() {
        if (frames.empty()) {
            return {};
        }
        bytes first = frames.front();
        frames.erase(frames.begin());
        return first;
    }
    std::vector<bytes> frames;
};

}  // namespace postern::net::testing
