#include "dataplane/net/icmp.h"

#include "dataplane/net/checksum.h"

namespace postern::net {
namespace {

constexpr std::size_t least = 8;

}  // namespace

tl::expected<icmp_message, drop> read_icmp(const ip_packet& packet) noexcept {
    const octets text = packet.payload;
    const bool v4 = is_ipv4(packet.from);
    if (text.size() < least || v4 != (packet.protocol == protocol::icmp)) {
        return tl::unexpected(drop::bad_icmp);
    }
    checksum_sum sum;
    if (!v4) {
        sum.add_pseudo(packet.from, packet.to, protocol::icmpv6, text.size());
    }
    if (sum.add(text).complement() != 0) {
        return tl::unexpected(drop::bad_icmp);
    }
    return icmp_message{text[0], text[1], read32(text.data() + 4), text.subspan(least)};
}

tl::expected<path_mtu_report, drop> read_path_mtu(const ip_packet& packet, const icmp_message& message) noexcept {
    const bool v4 = is_ipv4(packet.from);
    const bool too_big = v4 ? message.type == icmp_type::unreachable && message.code == icmp_code_fragmentation_needed
                            : message.type == icmpv6_type::packet_too_big && message.code == 0;
    if (!too_big) {
        return tl::unexpected(drop::icmp_of_no_interest);
    }
    auto quoted = read_quoted(message.body);
    if (!quoted || is_ipv4(quoted->from) != v4) {
        return tl::unexpected(drop::bad_icmp);
    }
    path_mtu_report out;
    out.quoted = *quoted;
    // IPv4 has it in the low half (RFC 1191 4); more than 65,535 is no news.
    out.next_mtu = static_cast<std::uint16_t>(v4 ? message.rest & 0xffffU : std::min(message.rest, 0xffffU));
    return out;
}

void write_icmp(writer& out, const ip_address& from, const ip_address& to, const icmp_message& message) noexcept {
    std::array<std::uint8_t, least> head{message.type, message.code};
    write16(head.data() + 4, static_cast<std::uint16_t>(message.rest >> 16U));
    write16(head.data() + 6, static_cast<std::uint16_t>(message.rest));
    checksum_sum sum;
    if (!is_ipv4(to)) {
        sum.add_pseudo(from, to, protocol::icmpv6, least + message.body.size());
    }
    write16(head.data() + 2, sum.add(head).add(message.body).complement());
    out.put(head).put(message.body);
}

}  // namespace postern::net
