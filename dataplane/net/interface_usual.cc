// The short ways of the interface: in for the frames that nearly all are, out for replies to them.
#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/interface.h"

namespace postern::net {
namespace {

constexpr std::size_t ipv4_header = 20;
constexpr std::size_t ipv6_header = 40;
constexpr std::uint16_t fragment_bits = 0x3fff;  // more fragments, offset

void put_link(std::uint8_t* at, std::uint64_t link) noexcept {
    write16(at, static_cast<std::uint16_t>(link >> 32U));
    write32(at + 2, static_cast<std::uint32_t>(link));
}

}  // namespace

/// A host that is not here talks to an address that is and may be used.
bool interface::from_stranger_to_us(const ip_address& from, const ip_address& to) const noexcept {
    bool ours = false;
    for (const address& a : _addresses) {
        if (same(a.own.ip, from)) {
            return false;
        }
        ours |= same(a.own.ip, to) && a.state == state::preferred;
    }
    return ours && is_host(from);
}

bool interface::usual_packet::segment_is_whole() const noexcept {
    checksum_sum sum;
    if (ipv4) {
        // The addresses lie in front of the segment.
        const octets both{payload.data() - 8, payload.size() + 8};
        return sum.add16(protocol::tcp).add16(static_cast<std::uint16_t>(payload.size())).add(both).complement() == 0;
    }
    return sum.add_pseudo(from, to, protocol::tcp, payload.size()).add(payload).complement() == 0;
}

bool interface::usual(octets frame, checked header, usual_packet& out) noexcept {
    const std::size_t link_size = ethernet_header_size(_settings.vlan);
    const std::uint8_t* const at = frame.data();
    if (frame.size() < link_size + ipv4_header || read48(at) != _link || (at[6] & 1U) != 0) {
        return false;
    }
    if (_settings.vlan != 0 && (read16(at + 12) != ether_type::vlan || (read16(at + 14) & 0xfffU) != _settings.vlan)) {
        return false;
    }
    const octets packet = frame.subspan(link_size);
    const std::uint8_t* const ip = packet.data();
    switch (read16(at + link_size - 2)) {
        case ether_type::ipv4: {
            const std::size_t whole = read16(ip + 2);
            std::uint32_t from = 0;
            std::uint32_t to = 0;
            std::memcpy(&from, ip + 12, sizeof from);
            std::memcpy(&to, ip + 16, sizeof to);
            if (ip[0] != 0x45 || whole < ipv4_header || whole > packet.size() ||
                (read16(ip + 6) & fragment_bits) != 0 || ip[9] != protocol::tcp || !from_stranger_to_us(from, to) ||
                (header == checked::no && !is_whole_ipv4_header(ip))) {
                return false;
            }
            out.ipv4 = true;
            out.from = ipv4(ip + 12);
            out.to = ipv4(ip + 16);
            out.payload = packet.subspan(ipv4_header, whole - ipv4_header);
            break;
        }
        case ether_type::ipv6: {
            if (packet.size() < ipv6_header || ip[0] >> 4U != 6 || ip[6] != protocol::tcp ||
                read16(ip + 4) > packet.size() - ipv6_header) {
                return false;
            }
            std::memcpy(out.from.data(), ip + 8, out.from.size());
            std::memcpy(out.to.data(), ip + 24, out.to.size());
            if (is_ipv4(out.from) || is_ipv4(out.to)) {
                return false;
            }
            if (!from_stranger_to_us(out.from, out.to)) {
                return false;
            }
            out.payload = packet.subspan(ipv6_header, read16(ip + 4));
            out.ipv4 = false;
            break;
        }
        default:
            return false;
    }
    out.link = read48(at + 6);
    count_segments(1);
    return true;
}

std::size_t interface::write_headers(std::span<std::uint8_t> out, const ip_address& from, const ip_address& to,
                                     std::uint64_t link, std::uint8_t protocol, std::size_t payload,
                                     bool ip_checksum) const noexcept {
    const std::uint64_t next = link != 0 ? link : link_towards(to);
    const std::size_t link_size = ethernet_header_size(_settings.vlan);
    const bool v4 = is_ipv4(to);
    const std::size_t size = link_size + (v4 ? ipv4_header : ipv6_header);
    if (next == 0 || out.size() < size) {
        return 0;
    }
    std::uint8_t* const at = out.data();
    put_link(at, next);
    put_link(at + 6, _link);
    if (_settings.vlan != 0) {
        write16(at + 12, ether_type::vlan);
        write16(at + 14, _settings.vlan);
    }
    write16(at + link_size - 2, v4 ? ether_type::ipv4 : ether_type::ipv6);
    std::uint8_t* const ip = at + link_size;
    if (!v4) {
        write32(ip, 6U << 28U);
        write16(ip + 4, static_cast<std::uint16_t>(payload));
        ip[6] = protocol;
        ip[7] = own_hop_limit;
        std::memcpy(ip + 8, from.data(), from.size());
        std::memcpy(ip + 24, to.data(), to.size());
        return size;
    }
    // DF and identification 0: RFC 6864 4.1, an atomic datagram.
    write16(ip, ipv4_first_word);
    write16(ip + 2, static_cast<std::uint16_t>(ipv4_header + payload));
    write32(ip + 4, do_not_fragment);
    ip[8] = own_hop_limit;
    ip[9] = protocol;
    write16(ip + 10, 0);
    std::memcpy(ip + 12, from.data() + 12, 4);
    std::memcpy(ip + 16, to.data() + 12, 4);
    if (ip_checksum) {
        checksum_sum sum;
        sum.add32(read32(from.data() + 12)).add32(read32(to.data() + 12));
        sum.add16(ipv4_first_word).add16(static_cast<std::uint16_t>(ipv4_header + payload)).add32(do_not_fragment);
        sum.add16(static_cast<std::uint16_t>(own_hop_limit << 8U | protocol));
        write16(ip + 10, sum.complement());
    }
    return size;
}

}  // namespace postern::net
