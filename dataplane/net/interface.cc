#include "dataplane/net/interface.h"

namespace postern::net {
namespace {

using std::chrono::seconds;

constexpr unsigned arp_announcements = 2;                 // RFC 5227 1.1: ANNOUNCE_NUM
constexpr shard::instant announce_interval = seconds(2);  // ANNOUNCE_INTERVAL
constexpr shard::instant defend_interval = seconds(10);   // DEFEND_INTERVAL
constexpr shard::instant retransmission = seconds(1);     // RFC 4861 10: RETRANS_TIMER
constexpr unsigned mld_reports = 2;                       // RFC 3810 9.14.1: robustness
constexpr std::uint8_t link_only = 255;

}  // namespace

std::optional<std::string> fault_of(const interface_settings& s) {
    if (is_group(s.mac) || s.mac == mac_address{}) {
        return "the port's Ethernet address is none of a host";
    }
    if (s.vlan > 4094) {
        return "a VLAN is 1 to 4094, or 0 for untagged";
    }
    if (s.mtu < 576 || (s.mtu < 1280 && std::any_of(s.addresses.begin(), s.addresses.end(),
                                                    [](const own_address& a) { return !is_ipv4(a.ip); }))) {
        return "the MTU is at least 576, and 1280 with IPv6 addresses";
    }
    if (s.addresses.empty()) {
        return "a port needs an address";
    }
    if (s.addresses.size() > most_groups) {
        return "a port has at most " + std::to_string(most_groups) + " addresses";
    }
    for (const own_address& a : s.addresses) {
        if (!is_host(a.ip) || a.prefix > (is_ipv4(a.ip) ? 32 : 128)) {
            return "an address of the port is none of a host, or its prefix is too long";
        }
    }
    for (const ip_address& gateway : s.gateways) {
        const auto reaches = [&](const own_address& a) {
            return same_network(a.ip, gateway, a.prefix) || (is_link_local(gateway) && !is_ipv4(a.ip));
        };
        if (!is_host(gateway) || std::none_of(s.addresses.begin(), s.addresses.end(), reaches)) {
            return "a gateway has to be in a network of the port's";
        }
        if (std::count_if(s.gateways.begin(), s.gateways.end(),
                          [&](const ip_address& g) { return is_ipv4(g) == is_ipv4(gateway); }) > 1) {
            return "one gateway for IPv4 and one for IPv6 are enough";
        }
    }
    return std::nullopt;
}

interface::interface(interface_settings settings, frame_sink& sink, shard::instant now, part does)
    : _settings(std::move(settings)),
      _link(link_of(_settings.mac)),
      _sink(sink),
      _part(does),
      _neighbours(_settings.gateways, now),
      _scratch(std::size_t{_settings.mtu} + ethernet_header_size(1)),
      _echo_tokens(_settings.echo_per_second),
      _echo_filled(now) {
    bool has_ipv6 = false;
    bool has_link_local = false;
    for (const own_address& own : _settings.addresses) {
        has_ipv6 |= !is_ipv4(own.ip);
        has_link_local |= is_link_local(own.ip);
    }
    std::vector<own_address> all = _settings.addresses;
    if (has_ipv6 && !has_link_local) {
        all.push_back({link_local_of(_settings.mac), 64});
    }
    for (const own_address& own : all) {
        const bool detect = !is_ipv4(own.ip) && _settings.find_duplicates;
        const unsigned times = is_ipv4(own.ip) ? arp_announcements : 1;
        _addresses.push_back({own, detect ? state::tentative : state::preferred, times, now, std::nullopt});
    }
    if (has_ipv6) {
        _report_due = now;
        _reports = mld_reports;
    }
    if (_part == part::segments) {
        for (address& a : _addresses) {
            a.due = shard::never;
        }
        _report_due = shard::never;
        _neighbours.adopt({});
    }
    list_ipv4();
}

void interface::become(address& a, state next) noexcept {
    a.state = next;
    ++_changes;
    list_ipv4();
}

void interface::list_ipv4() {
    _ipv4.clear();
    for (const address& a : _addresses) {
        if (is_ipv4(a.own.ip)) {
            ipv4_address& own = _ipv4.emplace_back();
            std::memcpy(&own.octets, a.own.ip.data() + 12, sizeof own.octets);
            own.usable = a.state == state::preferred;
        }
    }
}

link_view interface::view() const {
    link_view out;
    out.version = version();
    for (const address& a : _addresses) {
        if (a.state == state::preferred) {
            out.usable.push_back(a.own.ip);
        }
    }
    out.known = _neighbours.known();
    return out;
}

void interface::follow(const link_view& v) {
    for (address& a : _addresses) {
        const bool usable = std::find(v.usable.begin(), v.usable.end(), a.own.ip) != v.usable.end();
        a.state = usable ? state::preferred : state::tentative;
    }
    list_ipv4();
    _neighbours.adopt(v.known);
}

interface::verdict interface::dropped(drop why) noexcept {
    _counts.drops[static_cast<std::size_t>(why)].add();
    verdict out;
    out.is = verdict::what::dropped;
    out.why = why;
    return out;
}

interface::verdict interface::input(octets frame, shard::instant now, checked header) {
    _counts.frames.add();
    const auto read = read_ethernet(frame);
    if (!read) {
        return dropped(read.error());
    }
    if (read->vlan != _settings.vlan) {
        return dropped(drop::other_vlan);
    }
    if (is_group(read->from)) {
        return dropped(drop::bad_source);
    }
    if (read->to != _settings.mac && !is_group(read->to)) {
        return dropped(drop::not_for_us);  // a switch that floods, or promiscuous mode
    }
    switch (read->type) {
        case ether_type::arp:
            return arp(read->payload, now);
        case ether_type::ipv4:
        case ether_type::ipv6:
            return ip(*read, now, header);
        default: {
            verdict out = dropped(drop::other_protocol);
            out.is = verdict::what::other;  // the kernel may speak it
            return out;
        }
    }
}

interface::verdict interface::arp(octets payload, shard::instant now) {
    const auto read = read_arp(payload);
    if (!read) {
        return dropped(read.error());
    }
    verdict out;
    address* const asked = find(read->target);
    if (address* const claimed = find(read->sender); claimed != nullptr) {
        if (read->sender_mac != _settings.mac) {
            _counts.conflicts.add();
            if (!claimed->defended || now - *claimed->defended >= defend_interval) {
                claimed->defended = now;
                announce(*claimed);
            }
        }
        return out;
    }
    out.for_kernel_too = !read->request;
    if (is_host(read->sender) && in_our_networks(read->sender) && (asked != nullptr || !read->request)) {
        _neighbours.heard(read->sender, read->sender_mac, !read->request && asked != nullptr, now);
    }
    if (asked != nullptr && read->request) {
        _counts.answered.add();
        send_arp(read->sender_mac, {false, _settings.mac, read->target, read->sender_mac, read->sender});
    }
    return out;
}

interface::verdict interface::ip(const ethernet_frame& frame, shard::instant now, checked header) {
    const auto read = frame.type == ether_type::ipv4 ? read_ipv4(frame.payload, header) : read_ipv6(frame.payload);
    if (!read) {
        verdict out = dropped(read.error());
        const auto of = read.error() == drop::fragment ? fragment_protocol(frame.payload) : std::nullopt;
        if (of && *of != protocol::tcp) {
            out.is = verdict::what::other;  // the kernel may put it together
        }
        return out;
    }
    const ip_packet& packet = *read;
    // The unspecified address asks for itself (duplicate detection, DHCP); no other such source is a host.
    if (!is_host(packet.from) && !is_unspecified(packet.from)) {
        return dropped(drop::bad_source);
    }
    if (find(packet.from) != nullptr && owns(packet.from)) {
        return dropped(drop::bad_source);  // we are not there
    }
    if (!is_for_us(packet.to)) {
        return dropped(drop::not_for_us);
    }
    verdict out;
    out.packet = packet;
    out.link = link_of(frame.from);
    const bool own = owns(packet.to);
    if (packet.protocol == protocol::tcp && own) {
        // RFC 9293 3.9.2: only between hosts.
        if (!is_host(packet.from) || is_group(frame.to)) {
            return dropped(drop::bad_source);
        }
        _counts.segments.add();
        out.is = verdict::what::segment;
        return out;
    }
    if (packet.protocol == (is_ipv4(packet.to) ? protocol::icmp : protocol::icmpv6)) {
        return icmp(packet, frame.from, now);
    }
    out.is = verdict::what::other;
    return out;
}

interface::verdict interface::icmp(const ip_packet& packet, const mac_address& from, shard::instant now) {
    const auto message = read_icmp(packet);
    if (!message) {
        return dropped(message.error());
    }
    const bool v4 = is_ipv4(packet.to);
    if (!v4) {
        switch (message->type) {
            case icmpv6_type::neighbour_solicitation:
            case icmpv6_type::neighbour_advertisement:
                return neighbour(packet, from, *message, now);
            case icmpv6_type::mld_query:
                // Any time within the maximum response delay will do; half of it at most five seconds.
                if (is_link_local(packet.from) && packet.hop_limit == 1) {
                    const auto delay =
                        std::chrono::milliseconds(std::min<std::uint32_t>(message->rest >> 16U, 10000) / 2);
                    _report_due = std::min(_report_due, now + delay);
                }
                return {};
            default:
                break;
        }
    }
    if (message->type == (v4 ? icmp_type::echo : icmpv6_type::echo)) {
        return echo(packet, from, *message, now);
    }
    verdict out;
    out.packet = packet;
    auto path = read_path_mtu(packet, *message);
    if (!path && path.error() == drop::bad_icmp) {
        return dropped(path.error());
    }
    // An error about what the kernel beside us sent, or a kind that only it knows.
    if (!path || path->quoted.protocol != protocol::tcp || !owns(path->quoted.from)) {
        _counts.drops[static_cast<std::size_t>(drop::icmp_of_no_interest)].add();
        out.why = drop::icmp_of_no_interest;
        out.is = verdict::what::other;
        return out;
    }
    out.is = verdict::what::path_mtu;
    out.for_kernel_too = true;
    out.path = *path;
    return out;
}

interface::verdict interface::neighbour(const ip_packet& packet, const mac_address& from, const icmp_message& message,
                                        shard::instant now) {
    const auto read = read_neighbour(packet, message);
    if (!read) {
        return dropped(read.error());
    }
    if (read->solicitation) {
        return solicited(packet, from, *read, now);
    }
    verdict out;
    out.packet = packet;
    if (address* const mine = find(read->target); mine != nullptr) {
        if (read->mac == _settings.mac) {
            return out;  // our own, come back by a loop in the network
        }
        if (mine->state == state::tentative) {
            become(*mine, state::duplicated);
            mine->due = shard::never;
            _counts.duplicates.add();
        } else if (mine->state == state::preferred) {
            _counts.conflicts.add();
        }
        return out;
    }
    out.for_kernel_too = true;
    const mac_address mac = read->mac.value_or(from);
    if (in_our_networks(read->target)) {
        _neighbours.heard(read->target, mac, read->solicited, now);
    }
    return out;
}

interface::verdict interface::solicited(const ip_packet& packet, const mac_address& from,
                                        const neighbour_message& asked, shard::instant now) {
    address* const mine = find(asked.target);
    verdict out;
    out.packet = packet;
    if (mine == nullptr || mine->state == state::duplicated) {
        out.is = verdict::what::other;
        return out;
    }
    if (mine->state == state::tentative) {
        // Another host detects the same address at the same time; neither may have it. Ours, looped back, is none.
        if (is_unspecified(packet.from) && from != _settings.mac) {
            become(*mine, state::duplicated);
            mine->due = shard::never;
            _counts.duplicates.add();
        }
        return out;
    }
    _counts.answered.add();
    neighbour_message answer{false, asked.target, _settings.mac, false, true};
    if (is_unspecified(packet.from)) {
        send_neighbour(multicast_mac(all_nodes), asked.target, all_nodes, answer);
        return out;
    }
    if (asked.mac && in_our_networks(packet.from)) {
        _neighbours.heard(packet.from, *asked.mac, false, now);
    }
    answer.solicited = true;
    send_neighbour(asked.mac.value_or(from), asked.target, packet.from, answer);
    return out;
}

interface::verdict interface::echo(const ip_packet& packet, const mac_address& from, const icmp_message& message,
                                   shard::instant now) {
    // Not to groups (an amplifier), nor to what can't be answered.
    if (!owns(packet.to) || !is_host(packet.from)) {
        return dropped(drop::not_for_us);
    }
    const std::size_t size = 8 + message.body.size();
    if (!may_echo(now) || size + ip_header_size(packet.to) > _settings.mtu) {
        return dropped(drop::echo_limited);
    }
    _counts.answered.add();
    writer frame(_scratch);
    const bool v4 = is_ipv4(packet.to);
    write_ethernet(frame, from, _settings.mac, _settings.vlan, v4 ? ether_type::ipv4 : ether_type::ipv6);
    write_ip(frame, packet.to, packet.from, packet.protocol, own_hop_limit, size);
    const std::uint8_t type = v4 ? icmp_type::echo_reply : icmpv6_type::echo_reply;
    write_icmp(frame, packet.to, packet.from, {type, 0, message.rest, message.body});
    _sink.send(frame.from(0));
    return {};
}

bool interface::may_echo(shard::instant now) noexcept {
    if (now - _echo_filled >= seconds(1)) {
        _echo_filled = now;
        _echo_tokens = _settings.echo_per_second;
    }
    if (_echo_tokens == 0) {
        return false;
    }
    --_echo_tokens;
    return true;
}

interface::address* interface::find(const ip_address& ip) noexcept {
    const auto found =
        std::find_if(_addresses.begin(), _addresses.end(), [&](const address& a) { return same(a.own.ip, ip); });
    return found == _addresses.end() ? nullptr : &*found;
}

bool interface::owns(const ip_address& ip) const noexcept {
    return std::any_of(_addresses.begin(), _addresses.end(),
                       [&](const address& a) { return same(a.own.ip, ip) && a.state == state::preferred; });
}

std::vector<ip_address> interface::duplicated() const {
    std::vector<ip_address> out;
    for (const address& a : _addresses) {
        if (a.state == state::duplicated) {
            out.push_back(a.own.ip);
        }
    }
    return out;
}

bool interface::is_for_us(const ip_address& to) const noexcept {
    // Groups and the broadcast address: the kernel's services, detection and discovery. Tentative addresses: those of
    // detection go to groups.
    return is_multicast(to) || to == ipv4(255, 255, 255, 255) ||
           std::any_of(_addresses.begin(), _addresses.end(), [&](const address& a) { return a.own.ip == to; });
}

bool interface::in_our_networks(const ip_address& ip) const noexcept {
    return std::any_of(_addresses.begin(), _addresses.end(),
                       [&](const address& a) { return same_network(a.own.ip, ip, a.own.prefix); });
}

const ip_address* interface::source_for(const ip_address& to) const noexcept {
    const ip_address* any = nullptr;
    for (const address& a : _addresses) {
        if (a.state != state::preferred || is_ipv4(a.own.ip) != is_ipv4(to)) {
            continue;
        }
        if (same_network(a.own.ip, to, a.own.prefix)) {
            return &a.own.ip;
        }
        any = any == nullptr ? &a.own.ip : any;
    }
    return any;
}

void interface::tick(shard::instant now) {
    for (address& a : _addresses) {
        if (a.due > now) {
            continue;
        }
        if (a.state == state::tentative && a.announcements > 0) {
            // One probe, then a second of silence (RFC 4862 5.1: DupAddrDetectTransmits is 1).
            a.announcements = 0;
            a.due = now + retransmission;
            const ip_address group = solicited_node(a.own.ip);
            send_neighbour(multicast_mac(group), unspecified_ipv6, group, {true, a.own.ip, std::nullopt, false, false});
            continue;
        }
        if (a.state == state::tentative) {
            become(a, state::preferred);
            a.announcements = 1;
            _report_due = now;  // with a source of our own now
        }
        if (a.announcements > 0) {
            --a.announcements;
            announce(a);
        }
        a.due = a.announcements > 0 ? now + announce_interval : shard::never;
    }
    if (_report_due <= now) {
        _reports -= _reports > 0 ? 1 : 0;
        _report_due = _reports > 0 ? now + retransmission : shard::never;
        send_mld_report();
    }
    while (const auto question = _neighbours.next_question(now)) {
        ask_gateway(*question);
    }
}

shard::instant interface::next_timer() const noexcept {
    shard::instant due = std::min(_neighbours.next_timer(), _report_due);
    for (const address& a : _addresses) {
        due = std::min(due, a.due);
    }
    return due;
}

void interface::link_came_up(shard::instant now) {
    if (_part != part::whole) {
        return;
    }
    for (address& a : _addresses) {
        if (a.state == state::preferred) {
            a.announcements = is_ipv4(a.own.ip) ? arp_announcements : 1;
            a.due = now;
        }
        if (!is_ipv4(a.own.ip)) {
            _report_due = now;
            _reports = mld_reports;
        }
    }
    _neighbours.confirm(now);
}

void interface::announce(const address& a) {
    if (is_ipv4(a.own.ip)) {
        send_arp(broadcast_mac, {true, _settings.mac, a.own.ip, {}, a.own.ip});
    } else if (a.state == state::preferred) {
        send_neighbour(multicast_mac(all_nodes), a.own.ip, all_nodes, {false, a.own.ip, _settings.mac, false, true});
    }
}

void interface::ask_gateway(const neighbours::question& q) {
    const ip_address* const from = source_for(q.ip);
    if (from == nullptr) {
        return;  // not before detection is over; the question comes again
    }
    if (is_ipv4(q.ip)) {
        send_arp(q.at.value_or(broadcast_mac), {true, _settings.mac, *from, q.at.value_or(mac_address{}), q.ip});
        return;
    }
    const ip_address group = solicited_node(q.ip);
    send_neighbour(q.at.value_or(multicast_mac(group)), *from, q.at ? q.ip : group,
                   {true, q.ip, _settings.mac, false, false});
}

void interface::send_arp(const mac_address& to, const arp_message& message) {
    writer frame(_scratch);
    write_ethernet(frame, to, _settings.mac, _settings.vlan, ether_type::arp);
    write_arp(frame, message);
    _sink.send(frame.from(0));
}

void interface::send_neighbour(const mac_address& link, const ip_address& from, const ip_address& to,
                               const neighbour_message& message) {
    writer frame(_scratch);
    write_ethernet(frame, link, _settings.mac, _settings.vlan, ether_type::ipv6);
    write_ip(frame, from, to, protocol::icmpv6, link_only, neighbour_size(message));
    write_neighbour(frame, from, to, message);
    _sink.send(frame.from(0));
}

void interface::send_mld_report() {
    std::vector<ip_address> groups;
    ip_address from = unspecified_ipv6;  // before any address is usable (RFC 3590)
    for (const address& a : _addresses) {
        if (is_ipv4(a.own.ip) || a.state == state::duplicated) {
            continue;
        }
        if (a.state == state::preferred && is_link_local(a.own.ip)) {
            from = a.own.ip;
        }
        const ip_address group = solicited_node(a.own.ip);
        if (std::find(groups.begin(), groups.end(), group) == groups.end() && groups.size() < most_groups) {
            groups.push_back(group);
        }
    }
    if (groups.empty()) {
        return;
    }
    writer frame(_scratch);
    write_ethernet(frame, multicast_mac(mld_routers), _settings.mac, _settings.vlan, ether_type::ipv6);
    constexpr std::uint8_t hop_by_hop = 0;
    write_ip(frame, from, mld_routers, hop_by_hop, 1, mld_report_size(groups.size()));
    write_mld_report(frame, from, groups);
    _sink.send(frame.from(0));
}

/// The Ethernet address that packets to `to` go to, as a number; 0: nobody is known.
std::uint64_t interface::link_towards(const ip_address& to) const noexcept {
    std::optional<mac_address> known = in_our_networks(to) ? _neighbours.find(to) : std::nullopt;
    for (const ip_address& gateway : _settings.gateways) {
        if (!known && is_ipv4(gateway) == is_ipv4(to) && !in_our_networks(to)) {
            known = _neighbours.find(gateway);
        }
    }
    return known ? link_of(*known) : 0;
}

}  // namespace postern::net
