#include "perf/port_plan.h"

#include <netinet/in.h>

#include <algorithm>

#include "dataplane/net/address_text.h"
#include "dataplane/net/octets.h"
#include "dataplane/shard/endpoint_text.h"
#include "perf/rig/client_names.h"

namespace postern::perf {

namespace {

shard::endpoint endpoint_of(const sockaddr_storage& address) noexcept {
    shard::endpoint out;
    if (address.ss_family == AF_INET) {
        const auto& four = reinterpret_cast<const sockaddr_in&>(address);
        out.address = net::unspecified_ipv4;
        net::write32(out.address.data() + 12, ntohl(four.sin_addr.s_addr));
        out.port = ntohs(four.sin_port);
    } else {
        const auto& six = reinterpret_cast<const sockaddr_in6&>(address);
        std::copy_n(six.sin6_addr.s6_addr, out.address.size(), out.address.begin());
        out.port = ntohs(six.sin6_port);
    }
    return out;
}

/// The addresses from `first` on.
process::result<std::vector<net::own_address>> sources_from(const net::own_address& first, std::uint32_t count) {
    std::vector<net::own_address> out;
    const std::uint32_t low = net::read32(first.ip.data() + 12);
    for (std::uint32_t i = 0; i < count; ++i) {
        net::own_address next = first;
        net::write32(next.ip.data() + 12, low + i);
        if (low + i < low || !net::same_network(first.ip, next.ip, first.prefix)) {
            return tl::unexpected("--sources " + std::to_string(count) + ": the network of --address ends after " +
                                  std::to_string(i) + " of them; begin lower or give it a shorter prefix");
        }
        out.push_back(next);
    }
    return out;
}

}  // namespace

process::result<port_plan> make_port_plan(const port_words& said, const endpoint& target, std::size_t connections) {
    port_plan out;
    out.device = said.device;
    out.server = endpoint_of(target.address);
    out.descriptors = said.descriptors;
    out.memory_mib = said.memory_mib;
    out.offload_checksums = said.offload_checksums;
    out.network.vlan = said.vlan;
    out.network.mtu = said.mtu;
    out.network.find_duplicates = false;
    if (said.device.empty()) {
        return tl::unexpected(
            std::string("--transport dpdk needs --device: the port, as in \"0000:00:04.0\" or "
                        "\"net_af_packet0,iface=eth1\""));
    }
    if (!said.mac.empty()) {
        out.mac = net::parse_mac(said.mac);
        if (!out.mac) {
            return tl::unexpected("--mac '" + said.mac + "' is no Ethernet address; write it as 02:00:00:00:00:01");
        }
    }
    const auto first = net::parse_own_address(said.address);
    if (!first) {
        return tl::unexpected("--address '" + said.address +
                              "' is no address with its network; write it as 192.0.2.16/24 or 2001:db8::16/64");
    }
    if (net::is_ipv4(first->ip) != net::is_ipv4(out.server.address)) {
        return tl::unexpected(std::string("--address and --target are of different IP versions"));
    }
    const std::uint32_t sources = std::max<std::uint32_t>(target.sources, 1);
    auto addresses = sources_from(*first, sources);
    if (!addresses) {
        return tl::unexpected(std::move(addresses.error()));
    }
    out.network.addresses = std::move(*addresses);
    const auto taken = [&](const net::ip_address& ip) {
        return std::any_of(out.network.addresses.begin(), out.network.addresses.end(),
                           [&](const net::own_address& own) { return net::same(own.ip, ip); });
    };
    if (taken(out.server.address)) {
        return tl::unexpected(std::string("--target is one of the addresses of --address and --sources"));
    }
    if (!rig::client_names::fit(connections, sources)) {
        return tl::unexpected("--connections " + std::to_string(connections) + " are more than the " +
                              std::to_string(rig::client_names::ports) +
                              " ports of each source address; give more --sources");
    }
    if (net::same_network(first->ip, out.server.address, first->prefix)) {
        out.network.gateways = {out.server.address};
    } else if (const auto gateway = shard::parse_address(said.gateway)) {
        out.network.gateways = {*gateway};
    } else {
        return tl::unexpected(said.gateway.empty() ? "--target is not in the network of --address; give --gateway"
                                                   : "--gateway '" + said.gateway + "' is not an IP address");
    }
    net::interface_settings whole = out.network;
    whole.mac = out.mac.value_or(net::mac_address{0x02});
    if (const auto fault = net::fault_of(whole)) {
        return tl::unexpected("the port: " + *fault);
    }
    return out;
}

}  // namespace postern::perf
