// Why a frame was not taken, and how often.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dataplane/shard/counters.h"

namespace postern::net {

enum class drop : std::uint8_t {
    too_short,        ///< shorter than its headers say
    other_vlan,       ///< tagged otherwise than the port is
    other_protocol,   ///< neither IP nor ARP
    bad_arp,          ///< an ARP message that is not Ethernet's and IPv4's, or contradicts itself
    bad_ip_header,    ///< version, header length or total length
    bad_ip_checksum,  ///< of the IPv4 header
    fragment,         ///< fragments are not put together: TCP's segments fit, and reassembly is memory for strangers
    bad_extension,    ///< IPv6 extension headers that are too many, too long or unknown
    source_routed,    ///< an IPv4 source route, an IPv6 routing header with segments left
    bad_source,       ///< a source that no host has
    bad_icmp,         ///< too short, a wrong checksum, or against its RFC's validity checks
    icmp_of_no_interest,  ///< redirects, router advertisements and the like
    echo_limited,         ///< more echo requests than are answered
    not_for_us,           ///< an address that is not ours
    count,
};

using drop_counts = std::array<shard::counter, static_cast<std::size_t>(drop::count)>;

/// "too_short", "fragment", …: the names of the counters.
std::string_view to_string(drop why) noexcept;

}  // namespace postern::net
