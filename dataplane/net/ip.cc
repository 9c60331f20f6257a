#include "dataplane/net/ip.h"

#include "dataplane/net/checksum.h"

namespace postern::net {
namespace {

constexpr std::size_t ipv4_least = 20;
constexpr std::size_t ipv6_header = 40;
constexpr std::uint16_t more_fragments = 0x2000;
constexpr std::uint16_t offset_mask = 0x1fff;

ip_address address_at(const std::uint8_t* at) noexcept {
    ip_address out;
    std::copy_n(at, out.size(), out.begin());
    return out;
}

/// Options that steer the packet's way. A list that cannot be walked spoils the packet.
tl::expected<void, drop> look_at_options(octets options) noexcept {
    constexpr std::uint8_t end = 0, nothing = 1, loose_route = 131, strict_route = 137;
    while (!options.empty() && options[0] != end) {
        if (options[0] == nothing) {
            options = options.subspan(1);
            continue;
        }
        if (options[0] == loose_route || options[0] == strict_route) {
            return tl::unexpected(drop::source_routed);
        }
        if (options.size() < 2 || options[1] < 2 || options[1] > options.size()) {
            return tl::unexpected(drop::bad_ip_header);
        }
        options = options.subspan(options[1]);
    }
    return {};
}

namespace extension {
constexpr std::uint8_t hop_by_hop = 0;
constexpr std::uint8_t routing = 43;
constexpr std::uint8_t fragment = 44;
constexpr std::uint8_t destination = 60;
constexpr std::size_t most_headers = 4;
constexpr std::size_t most_octets = 256;
}  // namespace extension

/// Walks the extension headers; the packet's protocol and payload are then those behind them.
tl::expected<void, drop> skip_extensions(ip_packet& packet) noexcept {
    octets rest = packet.payload;
    std::size_t walked = 0;
    for (std::size_t headers = 0;; ++headers) {
        const std::uint8_t kind = packet.protocol;
        if (kind != extension::hop_by_hop && kind != extension::routing && kind != extension::fragment &&
            kind != extension::destination) {
            packet.payload = rest;
            return {};
        }
        // Hop-by-hop options stand first or not at all (RFC 8200 4.1).
        if (headers == extension::most_headers || (kind == extension::hop_by_hop && headers != 0)) {
            return tl::unexpected(drop::bad_extension);
        }
        if (rest.size() < 8) {
            return tl::unexpected(drop::too_short);
        }
        const std::size_t size = kind == extension::fragment ? 8 : (rest[1] + std::size_t{1}) * 8;
        walked += size;
        if (walked > extension::most_octets) {
            return tl::unexpected(drop::bad_extension);
        }
        if (rest.size() < size) {
            return tl::unexpected(drop::too_short);
        }
        if (kind == extension::routing && rest[3] != 0) {
            return tl::unexpected(drop::source_routed);
        }
        if (kind == extension::fragment && (read16(rest.data() + 2) & 0xfff9U) != 0) {
            return tl::unexpected(drop::fragment);
        }
        packet.protocol = rest[0];
        rest = rest.subspan(size);
    }
}

}  // namespace

tl::expected<ip_packet, drop> read_ipv4(octets packet, checked header) noexcept {
    if (packet.size() < ipv4_least) {
        return tl::unexpected(drop::too_short);
    }
    const std::uint8_t* const at = packet.data();
    const std::size_t header_size = (at[0] & 0x0fU) * std::size_t{4};
    const std::size_t total = read16(at + 2);
    if (at[0] >> 4U != 4 || header_size < ipv4_least || total < header_size) {
        return tl::unexpected(drop::bad_ip_header);
    }
    if (total > packet.size()) {
        return tl::unexpected(drop::too_short);
    }
    if (header == checked::no && checksum(packet.first(header_size)) != 0) {
        return tl::unexpected(drop::bad_ip_checksum);
    }
    if ((read16(at + 6) & (more_fragments | offset_mask)) != 0) {
        return tl::unexpected(drop::fragment);
    }
    if (const auto options = look_at_options(packet.subspan(ipv4_least, header_size - ipv4_least)); !options) {
        return tl::unexpected(options.error());
    }
    ip_packet out;
    out.from = ipv4(at + 12);
    out.to = ipv4(at + 16);
    out.protocol = at[9];
    out.hop_limit = at[8];
    out.whole = packet.first(total);
    out.payload = out.whole.subspan(header_size);
    return out;
}

tl::expected<ip_packet, drop> read_ipv6(octets packet) noexcept {
    if (packet.size() < ipv6_header) {
        return tl::unexpected(drop::too_short);
    }
    const std::uint8_t* const at = packet.data();
    if (at[0] >> 4U != 6) {
        return tl::unexpected(drop::bad_ip_header);
    }
    const std::size_t payload = read16(at + 4);
    if (payload > packet.size() - ipv6_header) {
        return tl::unexpected(drop::too_short);
    }
    ip_packet out;
    out.from = address_at(at + 8);
    out.to = address_at(at + 24);
    // A mapped address is a way of writing, not an address of the wire: it would pass for an IPv4 peer.
    if (is_ipv4(out.from) || is_ipv4(out.to)) {
        return tl::unexpected(drop::bad_source);
    }
    out.protocol = at[6];
    out.hop_limit = at[7];
    out.whole = packet.first(ipv6_header + payload);
    out.payload = out.whole.subspan(ipv6_header);
    if (const auto skipped = skip_extensions(out); !skipped) {
        return tl::unexpected(skipped.error());
    }
    return out;
}

std::optional<std::uint8_t> fragment_protocol(octets packet) noexcept {
    if (packet.size() >= ipv4_least && packet[0] >> 4U == 4) {
        return packet[9];
    }
    if (packet.size() > ipv6_header && packet[0] >> 4U == 6 && packet[6] == extension::fragment) {
        return packet[ipv6_header];
    }
    return std::nullopt;
}

tl::expected<quoted_packet, drop> read_quoted(octets quoted) noexcept {
    constexpr std::size_t least_payload = 8;
    if (quoted.empty()) {
        return tl::unexpected(drop::too_short);
    }
    quoted_packet out;
    std::size_t header = ipv6_header;
    if (quoted[0] >> 4U == 4) {
        header = (quoted[0] & 0x0fU) * std::size_t{4};
        if (header < ipv4_least) {
            return tl::unexpected(drop::bad_icmp);
        }
    } else if (quoted[0] >> 4U != 6) {
        return tl::unexpected(drop::bad_icmp);
    }
    if (quoted.size() < header + least_payload) {
        return tl::unexpected(drop::too_short);
    }
    const std::uint8_t* const at = quoted.data();
    if (at[0] >> 4U == 4) {
        if ((read16(at + 6) & offset_mask) != 0) {
            return tl::unexpected(drop::bad_icmp);  // a later fragment quotes no ports
        }
        out.from = ipv4(at + 12);
        out.to = ipv4(at + 16);
        out.protocol = at[9];
        out.size = read16(at + 2);
    } else {
        out.from = address_at(at + 8);
        out.to = address_at(at + 24);
        out.protocol = at[6];  // our own segments have no extension headers
        const std::size_t size = read16(at + 4) + ipv6_header;
        out.size = static_cast<std::uint16_t>(std::min<std::size_t>(size, 0xffff));
    }
    out.payload = quoted.subspan(header);
    return out;
}

void write_ip(writer& out, const ip_address& from, const ip_address& to, std::uint8_t protocol, std::uint8_t hop_limit,
              std::size_t payload, bool with_checksum) noexcept {
    if (!is_ipv4(to)) {
        out.put32(6U << 28U)
            .put16(static_cast<std::uint16_t>(payload))
            .put8(protocol)
            .put8(hop_limit)
            .put(from)
            .put(to);
        return;
    }
    std::array<std::uint8_t, ipv4_least> header;  // NOLINT: filled below
    writer in(header);
    in.put16(ipv4_first_word).put16(static_cast<std::uint16_t>(ipv4_least + payload));
    in.put16(0).put16(do_not_fragment).put8(hop_limit).put8(protocol).put16(0);
    in.put(octets(from).subspan(12)).put(octets(to).subspan(12));
    if (with_checksum) {
        write16(header.data() + 10, checksum(header));
    }
    out.put(header);
}

}  // namespace postern::net
