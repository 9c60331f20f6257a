// Captured frames in the format that Wireshark and tcpdump read (pcapng, draft-ietf-opsawg-pcapng): a section, one
// Ethernet interface with nanoseconds, and a block for each frame. Little endian. Octets in, octets out.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace postern::port::pcapng {

/// What a file begins with. `application` and `interface` are for people; `snap` is the most that is kept of a frame.
void begin(std::vector<std::uint8_t>& out, std::string_view application, std::string_view interface,
           std::uint32_t snap);

/// Octets that a frame of `kept` takes.
constexpr std::size_t frame_octets(std::size_t kept) noexcept {
    return 28 + (kept + 3) / 4 * 4 + 12 + 4;
}

/// One frame: when in nanoseconds since 1970, whether we sent it, how long it was, and what of it is kept.
void frame(std::vector<std::uint8_t>& out, std::uint64_t at, bool sent, std::uint32_t length,
           std::span<const std::uint8_t> kept);

}  // namespace postern::port::pcapng
