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
    // Lines are asked for side by side, not between other work: a prefetch waits for its page to be found, where the
    // TLB does not know it, and such waits overlap.
    const auto each_group = [this](auto&& work) {
        for (std::size_t begin = 0; begin < _size; begin += hash_lanes_count) {
            work(begin, std::min(hash_lanes_count, _size - begin));
        }
    };
    each_group([&](std::size_t begin, std::size_t used) {
        hash_texts(from.key, texts.data() + begin, used, _hashes.data() + begin);
        step.find_buckets(from, used, _hashes.data() + begin, _places.data() + begin);
    });
    for (std::size_t i = 0; i < _size; ++i) {
        prefetch(from.pilots + _places[i]);
    }
    if (before != nullptr) {
        before->compare();
    }
    each_group([&](std::size_t begin, std::size_t used) {
        step.find_lines(from, used, _hashes.data() + begin, _places.data() + begin);
    });
    for (std::size_t i = 0; i < _size; ++i) {
        prefetch_far(from.lines + _places[i]);
    }
}

void lookup_burst::compare() noexcept {
    const burst_steps& step = quickest_steps();
    while (_compared < _size) {
        const std::size_t used = std::min(hash_lanes_count, _size - _compared);
        step.compare(burst_table(*_in), used, _hashes.data() + _compared, _places.data() + _compared,
                     _payloads.data() + _compared);
        _compared += used;
    }
}

std::span<const std::uint32_t> lookup_burst::resolve() noexcept {
    compare();
    return {_payloads.data(), _size};
}

}  // namespace postern::recipients
