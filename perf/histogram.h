// Latencies counted in buckets whose width grows with the value: 128 to an octave, so that a quantile is at most 1/128
// above the true one (the bound the tests check against exact quantiles). Fixed memory, no allocation, one add per
// value; histograms of several threads are summed. The idea is Gil Tene's HdrHistogram.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace postern::perf {

class histogram {
public:
    static constexpr unsigned precision_bits = 7;  ///< 2^7 buckets an octave: error below 1 %
    static constexpr unsigned value_bits = 40;  ///< up to 18 minutes in nanoseconds; larger values count as the largest
    static constexpr std::uint64_t largest = (std::uint64_t{1} << value_bits) - 1;

    void add(std::uint64_t value) noexcept {
        value = std::min(value, largest);
        ++_buckets[bucket_of(value)];
        ++_count;
        _sum += value;
        _least = std::min(_least, value);
        _most = std::max(_most, value);
    }

    void add(const histogram& other) noexcept {
        for (std::size_t i = 0; i < _buckets.size(); ++i) {
            _buckets[i] += other._buckets[i];
        }
        _count += other._count;
        _sum += other._sum;
        _least = std::min(_least, other._least);
        _most = std::max(_most, other._most);
    }

    /// A bucket and how many values it has: a histogram of few values in few octets.
    struct part {
        std::uint16_t bucket;
        std::uint32_t count;
    };

    /// What was added since `before`, an earlier copy of this histogram.
    std::vector<part> since(const histogram& before) const {
        std::vector<part> out;
        for (std::size_t i = 0; i < _buckets.size(); ++i) {
            if (_buckets[i] != before._buckets[i]) {
                out.push_back(
                    {static_cast<std::uint16_t>(i), static_cast<std::uint32_t>(_buckets[i] - before._buckets[i])});
            }
        }
        return out;
    }

    /// Adds parts; each value counts as the largest of its bucket.
    void add(const std::vector<part>& parts) noexcept {
        for (const auto& each : parts) {
            const std::uint64_t value = upper_end(each.bucket);
            _buckets[each.bucket] += each.count;
            _count += each.count;
            _sum += value * each.count;
            _least = std::min(_least, value);
            _most = std::max(_most, value);
        }
    }

    std::uint64_t count() const noexcept { return _count; }
    std::uint64_t least() const noexcept { return _count == 0 ? 0 : _least; }
    std::uint64_t most() const noexcept { return _most; }
    double mean() const noexcept { return _count == 0 ? 0.0 : static_cast<double>(_sum) / static_cast<double>(_count); }

    /// The value below or at which the share `q` (0..1) of all values lies, by the nearest-rank definition: never below
    /// the true quantile, at most 1/128 above it. 0 when empty.
    std::uint64_t quantile(double q) const noexcept {
        if (_count == 0) {
            return 0;
        }
        const double wanted = std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(_count));
        const std::uint64_t rank = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(wanted), 1, _count);
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < _buckets.size(); ++i) {
            seen += _buckets[i];
            if (seen >= rank) {
                return std::min(upper_end(i), _most);
            }
        }
        return _most;
    }

private:
    static constexpr std::uint64_t sub_buckets = std::uint64_t{1} << precision_bits;

    // Values below 2^precision have a bucket each; from there on every octave has `sub_buckets`.
    static std::size_t bucket_of(std::uint64_t value) noexcept {
        if (value < sub_buckets) {
            return static_cast<std::size_t>(value);
        }
        const auto octave = static_cast<unsigned>(std::bit_width(value)) - precision_bits - 1U;
        return static_cast<std::size_t>((octave + 1U) * sub_buckets + ((value >> octave) - sub_buckets));
    }
    static std::uint64_t upper_end(std::size_t bucket) noexcept {
        if (bucket < sub_buckets) {
            return bucket;
        }
        const std::uint64_t octave = bucket / sub_buckets - 1;
        const std::uint64_t first = (sub_buckets + bucket % sub_buckets) << octave;
        return first + ((std::uint64_t{1} << octave) - 1);
    }

    std::array<std::uint64_t, (value_bits - precision_bits + 1) * sub_buckets> _buckets{};
    std::uint64_t _count = 0;
    std::uint64_t _sum = 0;
    std::uint64_t _least = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t _most = 0;
};

}  // namespace postern::perf
