#include "smtp/recipients/placer.h"

#include <algorithm>
#include <bit>

namespace postern::recipients {
namespace {

// Measured: at 10 keys a bucket and lines 84 % full a table has 7.8 octets a key and is placed in one attempt; at 85 %
// a third of the tables of 10,000,000 need another, at 88 % all do. Fewer, larger buckets keep the pilots of 50 million
// keys in the L3 cache; emptier lines make them quick to place.
constexpr std::uint64_t keys_per_bucket = 10;
constexpr std::uint64_t fill_percent = 84;
// A partition's keys and lines (a megabyte) stay in the L2 cache while they are placed.
constexpr std::uint32_t partition_shift = 12;

}  // namespace

void choose_partitions(std::uint64_t keys, format::header& shape) noexcept {
    const std::uint64_t buckets = keys / keys_per_bucket + 1;
    if (buckets <= (1ULL << partition_shift)) {
        shape.partitions = 1;
        shape.bucket_shift = static_cast<std::uint32_t>(std::bit_width(std::bit_ceil(buckets)) - 1);
    } else {
        shape.bucket_shift = partition_shift;
        shape.partitions = (buckets + (1ULL << partition_shift) - 1) >> partition_shift;
    }
}

std::uint32_t choose_lines(std::uint64_t keys, unsigned attempt) noexcept {
    const std::uint64_t room = line::capacity * fill_percent;
    const std::uint64_t lines = (keys * 100 + room - 1) / room;
    return static_cast<std::uint32_t>(std::max<std::uint64_t>(lines, 1) + attempt * (1 + lines / 32));
}

placed partition_placer::place(std::span<const keyed_entry> entries, const placement& where,
                               std::span<std::uint8_t> pilots, std::span<line> lines) {
    sort_into_buckets(entries, where, pilots.size());
    order_by_size();
    std::fill(pilots.begin(), pilots.end(), std::uint8_t{0});
    for (const std::uint32_t number : _order) {
        if (_buckets[number].size == 0) {
            break;
        }
        if (has_shared_hash(_buckets[number])) {
            return placed::same_hash;
        }
        if (!place_bucket(_buckets[number], where.salt, pilots[number], lines)) {
            return placed::no_room;
        }
    }
    return placed::whole;
}

bool partition_placer::has_shared_hash(const bucket& keys) noexcept {
    const auto entries = std::span(_entries).subspan(keys.begin, keys.size);
    for (std::size_t i = 1; i < entries.size(); ++i) {
        for (std::size_t k = 0; k < i; ++k) {
            if (entries[i].hash == entries[k].hash) {
                _shared_hash = entries[i].hash;
                return true;
            }
        }
    }
    return false;
}

void partition_placer::sort_into_buckets(std::span<const keyed_entry> entries, const placement& where,
                                         std::size_t buckets) {
    const std::uint64_t in_partition = buckets - 1;  // a power of two
    _buckets.assign(buckets, {});
    for (const keyed_entry& entry : entries) {
        ++_buckets[where.bucket_of(entry.hash) & in_partition].size;
    }
    std::uint32_t begin = 0;
    for (bucket& b : _buckets) {
        b.begin = begin;
        begin += b.size;
        b.size = 0;
    }
    _entries.resize(entries.size());
    for (const keyed_entry& entry : entries) {
        bucket& b = _buckets[where.bucket_of(entry.hash) & in_partition];
        _entries[b.begin + b.size++] = entry;
    }
}

void partition_placer::order_by_size() {
    std::uint32_t largest = 0;
    for (const bucket& b : _buckets) {
        largest = std::max(largest, b.size);
    }
    std::vector<std::uint32_t> starts(largest + 2, 0);
    for (const bucket& b : _buckets) {
        ++starts[largest - b.size + 1];
    }
    for (std::size_t i = 1; i < starts.size(); ++i) {
        starts[i] += starts[i - 1];
    }
    _order.resize(_buckets.size());
    for (std::uint32_t i = 0; i < _buckets.size(); ++i) {
        _order[starts[largest - _buckets[i].size]++] = i;
    }
}

bool partition_placer::place_bucket(const bucket& keys, std::uint64_t salt, std::uint8_t& pilot,
                                    std::span<line> lines) const {
    const auto entries = std::span(_entries).subspan(keys.begin, keys.size);
    const auto count = static_cast<std::uint32_t>(lines.size());
    for (unsigned candidate = 0; candidate < 256; ++candidate) {
        std::size_t placed = 0;
        for (; placed < entries.size(); ++placed) {
            const keyed_entry& entry = entries[placed];
            line& to = lines[choose_line(entry.hash, static_cast<std::uint8_t>(candidate), count)];
            const fingerprint print = fingerprint_of(entry.hash, salt);
            if (to.count() == line::capacity || match_low(to, print.low) != 0) {
                break;
            }
            append(to, print, entry.payload);
        }
        if (placed == entries.size()) {
            pilot = static_cast<std::uint8_t>(candidate);
            return true;
        }
        while (placed-- > 0) {
            drop_last(lines[choose_line(entries[placed].hash, static_cast<std::uint8_t>(candidate), count)]);
        }
    }
    return false;
}

}  // namespace postern::recipients
