// How many RSTs a second the segments of one source draw that belong to no connection.
//
// Sources share buckets by a keyed hash. One count for all would be a side channel: whether a spoofed segment used up
// some of it tells whether the connection exists (CVE-2016-5696 in another dress).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "dataplane/shard/seam.h"
#include "dataplane/shard/siphash.h"

namespace postern::tcp {

class reset_limiter {
public:
    reset_limiter(const shard::siphash_key& key, std::uint16_t per_second)
        : _key(key), _per_second(per_second), _buckets(std::make_unique<bucket[]>(count)) {}

    bool allow(const shard::endpoint& to, shard::instant now) noexcept {
        std::uint64_t high = 0;
        std::uint64_t low = 0;
        std::memcpy(&high, to.address.data(), 8);
        std::memcpy(&low, to.address.data() + 8, 8);
        bucket& b = _buckets[shard::siphash13(_key, high, low) % count];
        const auto second = static_cast<std::uint32_t>(now / std::chrono::seconds(1));
        if (b.second != second) {
            b = {second, 0};
        }
        if (b.used >= _per_second) {
            return false;
        }
        ++b.used;
        return true;
    }

private:
    static constexpr std::size_t count = 4096;
    struct bucket {
        std::uint32_t second = 0;
        std::uint32_t used = 0;
    };
    shard::siphash_key _key;
    std::uint32_t _per_second;
    std::unique_ptr<bucket[]> _buckets;
};

}  // namespace postern::tcp
