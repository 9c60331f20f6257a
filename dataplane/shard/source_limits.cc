#include "dataplane/shard/source_limits.h"

#include "dataplane/shard/endpoint_text.h"

namespace postern::shard {
namespace {

constexpr std::size_t first_size = 16;

std::uint64_t big_endian(const std::uint8_t* octets) noexcept {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) {
        value = value << 8 | octets[i];
    }
    return value;
}

}  // namespace

source_limits::source_limits(const siphash_key& key)
    : _key(key),
      _storage(std::make_unique<std::array<stripe, std::size_t{1} << stripe_bits>>()),
      _stripes(_storage->data()) {
    for (stripe& s : *_storage) {
        s.entries.resize(first_size);
    }
}

source_limits::source source_limits::source_of(const endpoint& peer) noexcept {
    source s{big_endian(peer.address.data()), 0};
    if (is_ipv4(peer)) {
        s.low = big_endian(peer.address.data() + 8);
    }
    return s;
}

std::size_t source_limits::find(const stripe& in, source s, std::uint64_t hashed) const noexcept {
    const std::size_t mask = in.entries.size() - 1;
    std::size_t at = hashed & mask;
    while (in.entries[at].count != 0 && in.entries[at].key != s) {
        at = (at + 1) & mask;
    }
    return at;
}

void source_limits::grow(stripe& in) const {
    std::vector<entry> old(in.entries.size() * 2);
    old.swap(in.entries);
    for (const entry& e : old) {
        if (e.count != 0) {
            in.entries[find(in, e.key, hash(e.key))] = e;
        }
    }
}

bool source_limits::enter(const endpoint& peer, std::uint32_t limit) {
    const source s = source_of(peer);
    const std::uint64_t hashed = hash(s);
    stripe& in = stripe_of(hashed);
    const std::lock_guard guard(in.lock);
    entry* e = &in.entries[find(in, s, hashed)];
    if (e->count >= limit) {
        return false;
    }
    if (e->count == 0) {
        if ((in.used + 1) * 4 > in.entries.size() * 3) {
            grow(in);
            e = &in.entries[find(in, s, hashed)];
        }
        e->key = s;
        ++in.used;
    }
    ++e->count;
    return true;
}

void source_limits::leave(const endpoint& peer) noexcept {
    const source s = source_of(peer);
    const std::uint64_t hashed = hash(s);
    stripe& in = stripe_of(hashed);
    const std::lock_guard guard(in.lock);
    const std::size_t mask = in.entries.size() - 1;
    std::size_t hole = find(in, s, hashed);
    if (in.entries[hole].count == 0 || --in.entries[hole].count != 0) {
        return;
    }
    --in.used;
    // Close the gap, so that no search ends before its entry: move back whatever probed across the hole.
    for (std::size_t at = (hole + 1) & mask; in.entries[at].count != 0; at = (at + 1) & mask) {
        const std::size_t home = hash(in.entries[at].key) & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            in.entries[hole] = in.entries[at];
            in.entries[at].count = 0;
            hole = at;
        }
    }
}

std::uint32_t source_limits::count(const endpoint& peer) const {
    const source s = source_of(peer);
    const std::uint64_t hashed = hash(s);
    const stripe& in = stripe_of(hashed);
    const std::lock_guard guard(in.lock);
    return in.entries[find(in, s, hashed)].count;
}

std::size_t source_limits::sources() const {
    std::size_t sum = 0;
    for (const stripe& in : *_storage) {
        const std::lock_guard guard(in.lock);
        sum += in.used;
    }
    return sum;
}

}  // namespace postern::shard
