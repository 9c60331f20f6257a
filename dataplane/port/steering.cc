#include "dataplane/port/steering.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "dataplane/net/ethernet.h"
#include "dataplane/net/icmp.h"
#include "dataplane/net/ip.h"

namespace postern::port {
namespace {

constexpr std::size_t own_table = 128;
constexpr std::size_t ports = 4;

}  // namespace

steering::rules steering::own_rules(unsigned shards) {
    rules out;
    if (::getrandom(out.key.data(), out.key.size(), 0) != static_cast<ssize_t>(out.key.size())) {
        throw std::system_error(errno, std::generic_category(), "the kernel gives no random key");
    }
    out.table.resize(own_table);
    for (std::size_t i = 0; i < out.table.size(); ++i) {
        out.table[i] = static_cast<std::uint16_t>(i % shards);
    }
    return out;
}

std::uint32_t steering::hash(const net::ip_address& from, std::uint16_t from_port, const net::ip_address& to,
                             std::uint16_t to_port) const noexcept {
    std::array<std::uint8_t, toeplitz::most_input> text;  // NOLINT: filled below
    const bool v4 = net::is_ipv4(from);
    const std::ptrdiff_t skipped = v4 ? 12 : 0;
    auto end = std::copy(from.begin() + skipped, from.end(), text.begin());
    end = std::copy(to.begin() + skipped, to.end(), end);
    auto size = static_cast<std::size_t>(end - text.begin());
    if ((v4 ? _rules.ipv4 : _rules.ipv6) == input::tuple) {
        net::write16(text.data() + size, from_port);
        net::write16(text.data() + size + 2, to_port);
        size += ports;
    }
    return _toeplitz.of(std::span(text).first(size));
}

std::optional<steering::place> steering::place_of(net::octets frame) const noexcept {
    const auto link = net::read_ethernet(frame);
    if (!link) {
        return std::nullopt;
    }
    if (link->type != net::ether_type::ipv4 && link->type != net::ether_type::ipv6) {
        return place{};
    }
    // Who takes the packet verifies its checksum: here a wrong one leads to a wrong shard at the worst, and no further.
    const auto packet = link->type == net::ether_type::ipv4 ? net::read_ipv4(link->payload, net::checked::yes)
                                                            : net::read_ipv6(link->payload);
    if (!packet) {
        return std::nullopt;
    }
    if (packet->protocol == net::protocol::tcp) {
        if (packet->payload.size() < ports) {
            return std::nullopt;
        }
        const std::uint8_t* const at = packet->payload.data();
        const std::uint32_t h = hash(packet->from, net::read16(at), packet->to, net::read16(at + 2));
        return place{owner_of_hash(h), h};
    }
    if (packet->protocol != net::protocol::icmp && packet->protocol != net::protocol::icmpv6) {
        return place{};
    }
    const auto message = net::read_icmp(*packet);
    const auto path = message ? net::read_path_mtu(*packet, *message) : tl::unexpected(message.error());
    if (!path || path->quoted.protocol != net::protocol::tcp) {
        return place{};
    }
    // To whom the quoted packet was sent is the peer.
    const std::uint8_t* const at = path->quoted.payload.data();
    return place{owner(path->quoted.to, net::read16(at + 2), path->quoted.from, net::read16(at)), std::nullopt};
}

}  // namespace postern::port
