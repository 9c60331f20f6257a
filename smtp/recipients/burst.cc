#include "smtp/recipients/burst.h"

#include <algorithm>

#include "smtp/recipients/burst_steps.h"

namespace postern::recipients {

void lookup_burst::prepare(const table& in, std::span<const std::string_view> texts, lookup_burst* before) noexcept {
    const burst_steps& step = quickest_steps();
    const burst_table from(in);
    _in = &in;
    _size = texts.size();
    _compared = 0;
    // Pilots are read some groups after they were asked for: they may be as far away as the L3 cache.
    constexpr std::size_t lag = 2 * hash_lanes_count;
    std::size_t lined = 0;
    const auto ask_for_lines = [&] {
        const std::size_t end = std::min(lined + hash_lanes_count, _size);
        step.find_lines(from, end - lined, _hashes.data() + lined, _places.data() + lined);
        for (; lined < end; ++lined) {
            prefetch_far(from.lines + _places[lined]);
        }
    };
    for (std::size_t begin = 0; begin < _size; begin += hash_lanes_count) {
        const std::size_t used = std::min(hash_lanes_count, _size - begin);
        hash_texts(from.key, texts.data() + begin, used, _hashes.data() + begin);
        step.find_buckets(from, used, _hashes.data() + begin, _places.data() + begin);
        for (std::size_t i = begin; i < begin + used; ++i) {
            prefetch(from.pilots + _places[i]);
        }
        if (before != nullptr) {
            before->compare(hash_lanes_count);
        }
        if (begin >= lined + lag) {
            ask_for_lines();
        }
    }
    while (lined < _size) {
        ask_for_lines();
    }
}

void lookup_burst::compare(std::size_t count) noexcept {
    const burst_steps& step = quickest_steps();
    for (const std::size_t end = std::min(_compared + count, _size); _compared < end;) {
        const std::size_t used = std::min(hash_lanes_count, end - _compared);
        step.compare(burst_table(*_in), used, _hashes.data() + _compared, _places.data() + _compared,
                     _payloads.data() + _compared);
        _compared += used;
    }
}

std::span<const std::uint32_t> lookup_burst::resolve() noexcept {
    compare(_size);
    return {_payloads.data(), _size};
}

}  // namespace postern::recipients
