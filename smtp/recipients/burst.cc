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
    // A group's lines are asked for between the hashes of those behind it, so that processor and memory are both at
    // work; two groups later, for pilots come from afar, too; and eight side by side, for a prefetch waits for its page
    // to be found, where the TLB does not know it, and such waits overlap.
    const auto ask_for_lines = [&](std::size_t begin) {
        const std::size_t end = std::min(begin + hash_lanes_count, _size);
        step.find_lines(from, end - begin, _hashes.data() + begin, _places.data() + begin);
        for (std::size_t i = begin; i < end; ++i) {
            prefetch_far(from.lines + _places[i]);
        }
    };
    std::size_t asked = 0;
    for (std::size_t begin = 0; begin < _size; begin += hash_lanes_count) {
        const std::size_t used = std::min(hash_lanes_count, _size - begin);
        hash_texts(from.key, texts.data() + begin, used, _hashes.data() + begin);
        step.find_buckets(from, used, _hashes.data() + begin, _places.data() + begin);
        for (std::size_t i = begin; i < begin + used; ++i) {
            prefetch(from.pilots + _places[i]);
        }
        if (before != nullptr) {
            before->compare(begin + used);
        }
        for (; asked + hash_lanes_count < begin; asked += hash_lanes_count) {
            ask_for_lines(asked);
        }
    }
    if (before != nullptr) {
        before->compare(capacity);
    }
    for (; asked < _size; asked += hash_lanes_count) {
        ask_for_lines(asked);
    }
}

void lookup_burst::compare(std::size_t end) noexcept {
    end = std::min(end, _size);
    if (_compared >= end) {
        return;
    }
    const burst_steps& step = quickest_steps();
    const burst_table from(*_in);
    while (_compared < end) {
        const std::size_t used = std::min(hash_lanes_count, end - _compared);
        step.compare(from, used, _hashes.data() + _compared, _places.data() + _compared, _payloads.data() + _compared);
        _compared += used;
    }
}

std::span<const std::uint32_t> lookup_burst::resolve() noexcept {
    compare(capacity);
    return {_payloads.data(), _size};
}

}  // namespace postern::recipients
