// The TCP header: octets to `segment`, `outgoing` to octets, and the checksum. RFC 9293 3.1 and 3.2, RFC 7323, RFC
// 2018.
//
// Options of known kind and wrong length are passed over; a list that cannot be walked (a length below 2 or beyond the
// header) spoils the segment. Of an option that stands twice the last counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <tl/expected.hpp>

#include "dataplane/tcp/segment.h"

namespace postern::tcp {

inline constexpr std::size_t least_header = 20;
inline constexpr std::size_t largest_header = 60;
/// In front of timestamps that stand alone: padding, kind and length (RFC 7323 appendix A).
inline constexpr std::uint32_t timestamps_head = 0x0101080a;

enum class header_error : std::uint8_t {
    too_short,     ///< less than 20 octets, or less than the data offset says
    bad_offset,    ///< a data offset below 5 words
    bad_options,   ///< an option list that cannot be walked
    bad_checksum,  ///< RFC 9293 3.1
    no_port,       ///< source or destination port 0
};

/// Who answers for the checksum of a segment that arrived.
enum class checksum_state : std::uint8_t {
    verify,  ///< unknown, or bad by the word of the NIC
    good,    ///< verified by the NIC
};

/// Reads into `out`, all of which is then set but `link`. `octets` is the whole TCP segment as the IP header bounds it;
/// the payload is a view of it. Ports of `from` and `to` are filled in from the header.
tl::expected<void, header_error> read_segment(segment& out, const shard::endpoint& from, const shard::endpoint& to,
                                              std::span<const std::uint8_t> octets,
                                              checksum_state checksum = checksum_state::verify) noexcept;
/// The same with the segment as its value.
tl::expected<segment, header_error> read_segment(const shard::endpoint& from, const shard::endpoint& to,
                                                 std::span<const std::uint8_t> octets,
                                                 checksum_state checksum = checksum_state::verify) noexcept;

/// Likewise, but for addresses and checksum: both are left to the caller.
tl::expected<void, header_error> read_fields(segment& out, std::span<const std::uint8_t> octets) noexcept;

/// Octets of header and options, a multiple of 4.
std::size_t header_size(const outgoing& s) noexcept;

/// Whether the checksum is left to the NIC, which wants the pseudo-header's sum in its place.
enum class checksum_by : std::uint8_t { software, nic };

/// Writes header and payload to the front of `out` and returns their size, or 0 if they do not fit.
std::size_t write_segment(const outgoing& s, std::span<std::uint8_t> out,
                          checksum_by by = checksum_by::software) noexcept;

/// The TCP checksum over pseudo-header and segment, in host order; over a segment that carries a right one: 0.
std::uint16_t checksum(const shard::endpoint& from, const shard::endpoint& to,
                       std::span<const std::uint8_t> octets) noexcept;

}  // namespace postern::tcp
