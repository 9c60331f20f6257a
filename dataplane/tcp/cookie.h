// Initial sequence numbers, timestamp offsets and SYN cookies: what is made of a connection's addresses and a key.
//
// RFC 6528 3: ISN = M + F(addresses, key), M a clock of 4 µs. RFC 7323 7.1: timestamps start at an offset of the
// connection's own. RFC 4987 3.6: a cookie is an ISN that carries the MSS and proves itself; window scale and
// SACK-permitted ride in the low bits of the SYN-ACK's timestamp, so without timestamps neither is offered.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/tcp/segment.h"
#include "dataplane/tcp/settings.h"

namespace postern::tcp {

/// The connection table's hash of both ends.
std::uint64_t hash_of(const shard::siphash_key& key, const shard::endpoint& peer,
                      const shard::endpoint& local) noexcept;

/// The same of each segment of a burst; `hashes` has room for as many.
void hashes_of(const shard::siphash_key& key, std::span<const segment> burst, std::uint64_t* hashes) noexcept;

/// What is drawn for a pair of ends once and for all.
struct identity {
    std::uint32_t isn_base = 0;          ///< F of RFC 6528
    std::uint32_t timestamp_offset = 0;  ///< TSval = milliseconds + this
};
identity identity_of(const shard::siphash_key& key, const shard::endpoint& peer, const shard::endpoint& local) noexcept;

/// M of RFC 6528.
constexpr std::uint32_t isn_clock(shard::instant now) noexcept {
    return static_cast<std::uint32_t>(now.count() / 4000);
}
/// The clock of timestamps, before the connection's offset: milliseconds.
constexpr std::uint32_t timestamp_clock(shard::instant now) noexcept {
    return static_cast<std::uint32_t>(now.count() / 1'000'000);
}

/// What a SYN said, as far as a cookie keeps it.
struct cookie_content {
    std::uint16_t mss = 0;  ///< made: of the SYN; read: one of eight sizes, not above it
    std::uint8_t window_scale = 0;
    bool has_window_scale = false;
    bool sack_permitted = false;
};

class cookies {
public:
    /// How long a cookie is good, at least; at most one period more.
    static constexpr shard::instant period = std::chrono::seconds(64);

    explicit cookies(const secrets& keys) noexcept : _key(keys.cookie) {}

    /// The ISN of the SYN-ACK. `client_isn` is the SYN's sequence number.
    std::uint32_t make(const shard::endpoint& peer, const shard::endpoint& local, std::uint32_t client_isn,
                       std::uint16_t mss, shard::instant now) const noexcept;
    /// The MSS, if `isn` is a cookie for these ends and not too old.
    std::optional<std::uint16_t> read(const shard::endpoint& peer, const shard::endpoint& local,
                                      std::uint32_t client_isn, std::uint32_t isn, shard::instant now) const noexcept;

    /// The low bits of `clock` replaced by what they carry; not above `clock`, so that timestamps stay monotonic.
    static std::uint32_t timestamp_with(std::uint32_t clock, const cookie_content& c) noexcept;
    /// What they carried; `mss` is left alone.
    static cookie_content from_timestamp(std::uint32_t clock) noexcept;

private:
    std::uint32_t proof(const shard::endpoint& peer, const shard::endpoint& local, std::uint32_t client_isn,
                        std::uint32_t count, std::uint32_t mss_index) const noexcept;

    shard::siphash_key _key;
};

}  // namespace postern::tcp
