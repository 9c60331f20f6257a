// Sums of counters that several threads name alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace postern::edge {

/// Adds counters up by name: every shard names the same ones in the same order.
class counter_sums {
public:
    void begin() { _at = 0; }
    void add(std::string_view name, std::uint64_t value) {
        if (_at == _sums.size()) {
            _sums.emplace_back(name, 0);
        }
        _sums[_at++].second += value;
    }
    template <class F>
    void each(F&& see) const {
        for (const auto& [name, value] : _sums) {
            see(name, value);
        }
    }

private:
    std::vector<std::pair<std::string, std::uint64_t>> _sums;
    std::size_t _at = 0;
};

}  // namespace postern::edge
