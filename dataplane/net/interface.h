// One network port below TCP: what arrives is taken apart and, but for TCP, answered; what TCP sends is framed.
//
// Sans-IO: frames and time in, frames out by a sink. It answers ARP, neighbour solicitations, multicast listener
// queries and echo requests for its own addresses, announces them at start, finds out whether another host has one of
// its IPv6 addresses (RFC 4862 5.4) or claims an IPv4 one (RFC 5227 2.4), and keeps the gateways' Ethernet addresses.
// TCP to an address of ours, and news of a smaller path MTU, are handed to the caller. It sends no ICMP errors of its
// own: what nobody listens to is left to the kernel beside us, or to silence.
//
// A port with several shards has one `whole` interface, which says what it knows (`view`), and for every other shard
// one for `segments` alone, which follows it: it announces, asks and answers nothing.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/net/arp.h"
#include "dataplane/net/discovery.h"
#include "dataplane/net/ethernet.h"
#include "dataplane/net/neighbours.h"

namespace postern::net {

/// Where frames go; the octets live for the call.
class frame_sink {
public:
    virtual void send(octets frame) noexcept = 0;

protected:
    ~frame_sink() = default;
};

struct own_address {
    ip_address ip{};
    std::uint8_t prefix = 0;  ///< leading bits of the network on the link: at most 32 for IPv4, 128 for IPv6
};

struct interface_settings {
    mac_address mac{};
    vlan_id vlan = 0;  ///< 0: untagged. Frames of other VLANs are dropped
    std::uint16_t mtu = 1500;
    std::vector<own_address> addresses;
    std::vector<ip_address> gateways;      ///< at most one of each family, in a network of ours
    std::uint32_t echo_per_second = 1000;  ///< echo requests answered
    bool find_duplicates = true;           ///< duplicate address detection before an IPv6 address is used
};

/// What the settings lack, in words; nothing: they will do.
std::optional<std::string> fault_of(const interface_settings& s);

struct interface_counts {
    shard::counter frames;
    shard::counter segments;    ///< of TCP, handed up
    shard::counter answered;    ///< ARP, ND, MLD, echo
    shard::counter duplicates;  ///< own IPv6 addresses that another host has
    shard::counter conflicts;   ///< IPv4 claims of an address of ours by another host
    drop_counts drops;

    template <class F>
    void for_each(F&& f) const {
        f("frames", frames.value());
        f("segments", segments.value());
        f("answered", answered.value());
        f("duplicates", duplicates.value());
        f("conflicts", conflicts.value());
        for (std::size_t i = 0; i < drops.size(); ++i) {
            f(to_string(static_cast<drop>(i)), drops[i].value());
        }
    }
};

class interface {
public:
    enum class part : std::uint8_t { whole, segments };

    /// `sink` outlives the interface. The settings are right by `fault_of`.
    interface(interface_settings settings, frame_sink& sink, shard::instant now, part does = part::whole);

    struct verdict {
        enum class what : std::uint8_t {
            done,      ///< answered, or of no interest to anybody else
            segment,   ///< TCP to an address of ours: `packet`, `link`
            path_mtu,  ///< an ICMP error about a packet of ours: `path`
            other,     ///< for our addresses or a group, but not ours to answer: the kernel's, if it is beside us
            dropped,   ///< counted by its reason
        };
        verdict::what is = what::done;
        /// The kernel beside us needs the frame as well: answers of ARP and neighbours.
        bool for_kernel_too = false;
        drop why = drop::count;
        ip_packet packet;        ///< views of the frame
        std::uint64_t link = 0;  ///< the sender's Ethernet address, for `write_headers`
        path_mtu_report path;
    };
    /// The frame that nearly all are: TCP over IPv4 without options, or over IPv6 without extension headers, from a
    /// host, to an address of ours.
    struct usual_packet {
        ip_address from{};
        ip_address to{};
        octets payload;
        std::uint64_t link = 0;  ///< as in a verdict
        bool ipv4 = false;

        /// Whether TCP's checksum is right.
        bool segment_is_whole() const noexcept;
    };
    /// Recognises it by a few comparisons and counts it. False: it may be one all the same, and `input` is to look.
    bool usual(octets frame, checked header, usual_packet& out) noexcept;
    /// For who recognises such a frame by its whole form (port/plain_frame.h), of IPv4 without a tag: whether it comes
    /// from a host that is not here, to an address that is and may be used; addresses as they lie in memory.
    bool from_stranger_to_us(std::uint32_t from, std::uint32_t to) const noexcept {
        bool ours = false;
        for (const ipv4_address& own : _ipv4) {
            if (own.octets == from) {
                return false;
            }
            ours |= own.octets == to && own.usable;
        }
        static_assert(std::endian::native == std::endian::little);
        const std::uint32_t first = from & 0xffU;
        return ours && (first & 0xf0U) != 0xe0 && first != 127 && from != UINT32_MAX && from != 0;
    }
    /// Counts those that came that way.
    void count_segments(std::size_t n) noexcept {
        _counts.frames.add(n);
        _counts.segments.add(n);
    }
    /// Takes a frame. `header`: whether the NIC has verified the IPv4 header's checksum.
    verdict input(octets frame, shard::instant now, checked header = checked::no);

    /// The link came back, perhaps to another switch: addresses are announced again, gateways asked for.
    void link_came_up(shard::instant now);

    /// What is due: announcements, detection, questions for the gateways.
    void tick(shard::instant now);
    shard::instant next_timer() const noexcept;

    /// Ethernet and IP headers in front of a payload: their size, or 0 if `out` is too small or nobody is known to send
    /// to. `link` as a verdict had it; 0: by the neighbours and the gateway.
    std::size_t write_headers(std::span<std::uint8_t> out, const ip_address& from, const ip_address& to,
                              std::uint64_t link, std::uint8_t protocol, std::size_t payload,
                              bool ip_checksum = true) const noexcept;

    /// The port's own Ethernet address, as a verdict has one, if frames carry no VLAN tag; else 0.
    std::uint64_t untagged_link() const noexcept { return _settings.vlan == 0 ? _link : 0; }

    /// Whether the address is ours and usable (not in detection, not a duplicate).
    bool owns(const ip_address& ip) const noexcept;
    /// Own addresses that were found at another host and are not used.
    std::vector<ip_address> duplicated() const;
    bool gateways_reachable() const noexcept { return _neighbours.gateways_reachable(); }
    /// Of the whole: grows when there is news for those that follow.
    std::uint64_t version() const noexcept { return _changes + _neighbours.changes(); }
    link_view view() const;
    /// Of one for segments: from now on as the view says.
    void follow(const link_view& v);

    const interface_counts& counts() const noexcept { return _counts; }
    const interface_settings& settings() const noexcept { return _settings; }

private:
    enum class state : std::uint8_t { tentative, preferred, duplicated };
    struct address {
        own_address own;
        interface::state state = state::preferred;
        unsigned announcements = 0;  ///< left to be sent
        shard::instant due = shard::never;
        std::optional<shard::instant> defended;  ///< when a conflict was last answered by an announcement
    };

    verdict dropped(drop why) noexcept;
    verdict arp(octets payload, shard::instant now);
    verdict ip(const ethernet_frame& frame, shard::instant now, checked header);
    verdict icmp(const ip_packet& packet, const mac_address& from, shard::instant now);
    verdict neighbour(const ip_packet& packet, const mac_address& from, const icmp_message& message,
                      shard::instant now);
    verdict solicited(const ip_packet& packet, const mac_address& from, const neighbour_message& asked,
                      shard::instant now);
    verdict echo(const ip_packet& packet, const mac_address& from, const icmp_message& message, shard::instant now);

    address* find(const ip_address& ip) noexcept;
    bool from_stranger_to_us(const ip_address& from, const ip_address& to) const noexcept;
    void list_ipv4();
    bool is_for_us(const ip_address& to) const noexcept;
    bool in_our_networks(const ip_address& ip) const noexcept;
    const ip_address* source_for(const ip_address& to) const noexcept;
    std::uint64_t link_towards(const ip_address& to) const noexcept;
    bool may_echo(shard::instant now) noexcept;

    void announce(const address& a);
    void ask_gateway(const neighbours::question& q);
    void send_arp(const mac_address& to, const arp_message& message);
    void send_neighbour(const mac_address& link, const ip_address& from, const ip_address& to,
                        const neighbour_message& message);
    void send_mld_report();

    void become(address& a, state next) noexcept;

    interface_settings _settings;
    std::uint64_t _link;  ///< of the port's own Ethernet address
    frame_sink& _sink;
    part _part;
    std::uint64_t _changes = 1;  ///< of the state of addresses
    std::vector<address> _addresses;
    struct ipv4_address {
        std::uint32_t octets = 0;  ///< as they lie in memory
        bool usable = false;
    };
    std::vector<ipv4_address> _ipv4;  ///< those of `_addresses`, for the short way
    neighbours _neighbours;
    std::vector<std::uint8_t> _scratch;  ///< one frame
    shard::instant _report_due = shard::never;
    unsigned _reports = 0;  ///< MLD reports left of the first ones
    std::uint32_t _echo_tokens;
    shard::instant _echo_filled;
    interface_counts _counts;
};

}  // namespace postern::net
