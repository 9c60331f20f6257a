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
    // A prefetch waits for its page to be found, where the TLB does not know it, and holds up the work behind it; such
    // waits overlap among neighbours: hence lines side by side, as many as the CPU takes. Where that is eight, a
    // group's lines are asked for between the hashes of those behind it, two groups later, for pilots come from afar,
    // too.
    std::size_t asked = 0;
    const auto ask_for_lines = [&](std::size_t end) {
        for (std::size_t begin = asked; begin < end; begin += hash_lanes_count) {
            step.find_lines(from, std::min(hash_lanes_count, end - begin), &_hashes[begin], &_places[begin]);
        }
        for (; asked < end; ++asked) {
            prefetch_far(from.lines + _places[asked]);
        }
    };
    for (std::size_t begin = 0; begin < _size; begin += hash_lanes_count) {
        const std::size_t used = std::min(hash_lanes_count, _size - begin);
        hash_texts(from.key, texts.data() + begin, used, &_hashes[begin]);
        step.find_buckets(from, used, &_hashes[begin], &_places[begin]);
        for (std::size_t i = begin; i < begin + used; ++i) {
            prefetch(from.pilots + _places[i]);
        }
        if (!step.lines_together) {
            if (before != nullptr) {
                before->compare(begin + used);
            }
            if (begin >= 2 * hash_lanes_count) {
                ask_for_lines(begin - hash_lanes_count);
            }
        }
    }
    if (before != nullptr) {
        before->compare(capacity);
    }
    ask_for_lines(_size);
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
