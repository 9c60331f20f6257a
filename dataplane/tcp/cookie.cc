#include "dataplane/tcp/cookie.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "dataplane/net/address.h"
#include "dataplane/shard/siphash_pairs.h"

namespace postern::tcp {
namespace {

struct words {
    std::uint64_t peer_high, peer_low, local_high, local_low, ports;
};

words words_of(const shard::endpoint& peer, const shard::endpoint& local) noexcept {
    words w{};
    std::memcpy(&w.peer_high, peer.address.data(), 8);
    std::memcpy(&w.peer_low, peer.address.data() + 8, 8);
    std::memcpy(&w.local_high, local.address.data(), 8);
    std::memcpy(&w.local_low, local.address.data() + 8, 8);
    w.ports = std::uint64_t{peer.port} << 16 | local.port;
    return w;
}

/// Two words say all of an IPv4 connection, and the hash knows how many there were. Each address is the upper half of
/// its word.
shard::word_pair of_ipv4(const words& w) noexcept {
    static_assert(std::endian::native == std::endian::little);
    return {w.peer_low >> 32 | (w.local_low >> 32 << 32), w.ports};
}

// 5 bits of time, 3 of MSS, 24 of proof.
constexpr unsigned count_bits = 5;
constexpr std::uint32_t count_mask = (1U << count_bits) - 1;
constexpr std::uint32_t proof_mask = 0xffffff;
constexpr std::uint32_t mss_shift = 24;
constexpr std::uint32_t count_shift = 27;
// The sizes that are common on the wire, smallest first: tunnels and PPPoE below the two Ethernets', then jumbo frames.
constexpr std::array<std::uint16_t, 8> sizes = {216, 536, 1220, 1300, 1400, 1440, 1460, 8940};

// Of a timestamp: 4 bits of window scale (15: none), 1 of SACK-permitted.
constexpr std::uint32_t option_mask = 0x1f;
constexpr std::uint32_t no_scale = 0xf;
constexpr std::uint32_t sack_bit = 0x10;

std::uint32_t count_at(shard::instant now) noexcept {
    return static_cast<std::uint32_t>(now / cookies::period);
}

}  // namespace

std::uint64_t hash_of(const shard::siphash_key& key, const shard::endpoint& peer,
                      const shard::endpoint& local) noexcept {
    const words w = words_of(peer, local);
    if (net::is_ipv4(peer.address)) {  // and so is the other end: net takes no mapped address over IPv6
        const shard::word_pair both = of_ipv4(w);
        return shard::siphash13(key, both.first, both.second);
    }
    return shard::siphash13(key, w.peer_high, w.peer_low, w.local_high, w.local_low, w.ports);
}

void hashes_of(const shard::siphash_key& key, std::span<const segment> burst, std::uint64_t* hashes) noexcept {
    std::array<shard::word_pair, 32> pairs;
    while (!burst.empty()) {
        const std::span<const segment> some = burst.first(std::min(burst.size(), pairs.size()));
        bool all_ipv4 = true;
        for (std::size_t i = 0; i < some.size(); ++i) {
            pairs[i] = of_ipv4(words_of(some[i].peer, some[i].local));
            all_ipv4 &= net::is_ipv4(some[i].peer.address);
        }
        shard::siphash13_pairs(key, {pairs.data(), some.size()}, hashes);
        for (std::size_t i = 0; !all_ipv4 && i < some.size(); ++i) {
            if (!net::is_ipv4(some[i].peer.address)) {
                hashes[i] = hash_of(key, some[i].peer, some[i].local);
            }
        }
        burst = burst.subspan(some.size());
        hashes += some.size();
    }
}

identity identity_of(const shard::siphash_key& key, const shard::endpoint& peer,
                     const shard::endpoint& local) noexcept {
    const words w = words_of(peer, local);
    const std::uint64_t h = shard::siphash24(key, w.peer_high, w.peer_low, w.local_high, w.local_low, w.ports);
    return {static_cast<std::uint32_t>(h), static_cast<std::uint32_t>(h >> 32)};
}

std::uint32_t cookies::proof(const shard::endpoint& peer, const shard::endpoint& local, std::uint32_t client_isn,
                             std::uint32_t count, std::uint32_t mss_index) const noexcept {
    const words w = words_of(peer, local);
    const std::uint64_t said = std::uint64_t{client_isn} << 32 | std::uint64_t{count & 0xffffff} << 8 | mss_index;
    return static_cast<std::uint32_t>(
               shard::siphash24(_key, w.peer_high, w.peer_low, w.local_high, w.local_low, w.ports, said)) &
           proof_mask;
}

std::uint32_t cookies::make(const shard::endpoint& peer, const shard::endpoint& local, std::uint32_t client_isn,
                            std::uint16_t mss, shard::instant now) const noexcept {
    std::uint32_t index = 0;
    while (index + 1 < sizes.size() && sizes[index + 1] <= mss) {
        ++index;
    }
    const std::uint32_t count = count_at(now);
    return (count & count_mask) << count_shift | index << mss_shift | proof(peer, local, client_isn, count, index);
}

std::optional<std::uint16_t> cookies::read(const shard::endpoint& peer, const shard::endpoint& local,
                                           std::uint32_t client_isn, std::uint32_t isn,
                                           shard::instant now) const noexcept {
    const std::uint32_t count = count_at(now);
    const std::uint32_t age = (count - (isn >> count_shift)) & count_mask;
    if (age > 1) {
        return std::nullopt;
    }
    const std::uint32_t index = isn >> mss_shift & 7U;
    if ((isn & proof_mask) != proof(peer, local, client_isn, count - age, index)) {
        return std::nullopt;
    }
    return sizes[index];
}

std::uint32_t cookies::timestamp_with(std::uint32_t clock, const cookie_content& c) noexcept {
    const std::uint32_t scale = c.has_window_scale ? std::uint32_t{c.window_scale} & 0xfU : no_scale;
    const std::uint32_t bits = scale | (c.sack_permitted ? sack_bit : 0);
    const std::uint32_t made = (clock & ~option_mask) | bits;
    return static_cast<std::int32_t>(made - clock) > 0 ? made - (option_mask + 1) : made;
}

cookie_content cookies::from_timestamp(std::uint32_t clock) noexcept {
    cookie_content c;
    c.has_window_scale = (clock & no_scale) != no_scale;
    c.window_scale = c.has_window_scale ? static_cast<std::uint8_t>(clock & no_scale) : std::uint8_t{0};
    c.sack_permitted = (clock & sack_bit) != 0;
    return c;
}

}  // namespace postern::tcp
