#include "dataplane/net/discovery.h"

#include "dataplane/net/checksum.h"

namespace postern::net {
namespace {

constexpr std::uint8_t option_source_mac = 1;
constexpr std::uint8_t option_target_mac = 2;
constexpr std::uint8_t whole_way = 255;  ///< a hop limit that no router has touched
constexpr std::uint32_t flag_solicited = 1U << 30U;
constexpr std::uint32_t flag_override = 1U << 29U;

/// The link-layer address among the options.
tl::expected<std::optional<mac_address>, drop> find_mac(octets options, std::uint8_t wanted) noexcept {
    std::optional<mac_address> found;
    while (!options.empty()) {
        if (options.size() < 8 || options[1] == 0 || options[1] * std::size_t{8} > options.size()) {
            return tl::unexpected(drop::bad_icmp);
        }
        if (options[0] == wanted && options[1] == 1) {
            mac_address mac;
            std::copy_n(options.data() + 2, mac.size(), mac.begin());
            if (is_group(mac)) {
                return tl::unexpected(drop::bad_icmp);
            }
            found = mac;
        }
        options = options.subspan(options[1] * std::size_t{8});
    }
    return found;
}

bool is_solicited_node(const ip_address& group) noexcept {
    return std::equal(group.begin(), group.begin() + 13, solicited_node({}).begin());
}

}  // namespace

tl::expected<neighbour_message, drop> read_neighbour(const ip_packet& packet, const icmp_message& message) noexcept {
    if (packet.hop_limit != whole_way || message.code != 0 || message.body.size() < 16) {
        return tl::unexpected(drop::bad_icmp);
    }
    neighbour_message out;
    out.solicitation = message.type == icmpv6_type::neighbour_solicitation;
    std::copy_n(message.body.data(), out.target.size(), out.target.begin());
    const auto mac = find_mac(message.body.subspan(16), out.solicitation ? option_source_mac : option_target_mac);
    if (!mac || !is_host(out.target) || is_ipv4(out.target)) {
        return tl::unexpected(drop::bad_icmp);
    }
    out.mac = *mac;
    out.solicited = !out.solicitation && (message.rest & flag_solicited) != 0;
    out.override_known = !out.solicitation && (message.rest & flag_override) != 0;
    if (out.solicitation && is_unspecified(packet.from) && (out.mac || !is_solicited_node(packet.to))) {
        return tl::unexpected(drop::bad_icmp);
    }
    if (out.solicited && is_multicast(packet.to)) {
        return tl::unexpected(drop::bad_icmp);
    }
    return out;
}

void write_neighbour(writer& out, const ip_address& from, const ip_address& to,
                     const neighbour_message& message) noexcept {
    std::array<std::uint8_t, 24> body;  // NOLINT: filled below
    writer in(body);
    in.put(message.target);
    if (message.mac) {
        in.put8(message.solicitation ? option_source_mac : option_target_mac).put8(1).put(*message.mac);
    }
    const std::uint8_t type =
        message.solicitation ? icmpv6_type::neighbour_solicitation : icmpv6_type::neighbour_advertisement;
    const std::uint32_t flags = (message.solicited ? flag_solicited : 0) | (message.override_known ? flag_override : 0);
    write_icmp(out, from, to, {type, 0, flags, in.from(0)});
}

void write_mld_report(writer& out, const ip_address& from, std::span<const ip_address> groups) noexcept {
    constexpr std::uint8_t change_to_exclude = 4;
    groups = groups.first(std::min(groups.size(), most_groups));
    std::array<std::uint8_t, most_groups * 20> records;  // NOLINT: filled below
    writer in(records);
    for (const ip_address& group : groups) {
        in.put8(change_to_exclude).put8(0).put16(0).put(group);
    }
    // Hop-by-hop: next header, length 0 (8 octets), router alert for MLD (RFC 2711), PadN.
    out.put8(protocol::icmpv6).put8(0).put8(5).put8(2).put16(0).put8(1).put8(0);
    write_icmp(out, from, mld_routers,
               {icmpv6_type::mld_report, 0, static_cast<std::uint32_t>(groups.size()), in.from(0)});
}

}  // namespace postern::net
