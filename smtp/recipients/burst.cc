#include "smtp/recipients/burst.h"

#include <algorithm>

#include "smtp/recipients/burst_steps.h"
#include "smtp/recipients/siphash_variants.h"

namespace postern::recipients {
namespace {

void ask_for_pilots(const burst_table& in, const std::string_view* texts, std::size_t used, std::uint64_t* hashes,
                    std::uint64_t* places) {
    hash_texts(in.key, texts, used, hashes);
    for (std::size_t i = 0; i < used; ++i) {
        places[i] = in.where.bucket_of(hashes[i]);
        prefetch(in.pilots + places[i]);
    }
}

void ask_for_lines(const burst_table& in, std::size_t used, const std::uint64_t* hashes, std::uint64_t* places) {
    for (std::size_t i = 0; i < used; ++i) {
        places[i] = in.where.line_of(hashes[i], places[i], in.pilots[places[i]]);
        prefetch_far(in.lines + places[i]);
    }
}

void compare(const burst_table& in, std::size_t used, const std::uint64_t* hashes, const std::uint64_t* places,
             std::uint32_t* payloads) {
    for (std::size_t i = 0; i < used; ++i) {
        payloads[i] = find(in.lines[places[i]], fingerprint_of(hashes[i], in.where.salt)).payload;
    }
}

const burst_steps& steps() noexcept {
#if defined(__x86_64__)
    static const burst_steps& chosen = has_avx512() ? avx512_steps : plain_steps;
    return chosen;
#else
    return plain_steps;
#endif
}

}  // namespace

const burst_steps plain_steps{ask_for_pilots, ask_for_lines, compare};

void lookup_burst::prepare(const table& in, std::span<const std::string_view> texts, lookup_burst* before) noexcept {
    const burst_steps& step = steps();
    const burst_table from(in);
    _in = &in;
    _size = texts.size();
    _compared = 0;
    // Pilots are read some groups after they were asked for: they may be as far away as the L3 cache.
    constexpr std::size_t lag = 2 * hash_lanes_count;
    const auto lines_of_group = [&](std::size_t begin) {
        const std::size_t used = std::min(hash_lanes_count, _size - begin);
        step.ask_for_lines(from, used, _hashes.data() + begin, _places.data() + begin);
    };
    std::size_t lined = 0;
    for (std::size_t begin = 0; begin < _size; begin += hash_lanes_count) {
        const std::size_t used = std::min(hash_lanes_count, _size - begin);
        step.ask_for_pilots(from, texts.data() + begin, used, _hashes.data() + begin, _places.data() + begin);
        if (before != nullptr) {
            before->compare(hash_lanes_count);
        }
        for (; lined + lag <= begin; lined += hash_lanes_count) {
            lines_of_group(lined);
        }
    }
    for (; lined < _size; lined += hash_lanes_count) {
        lines_of_group(lined);
    }
}

void lookup_burst::compare(std::size_t count) noexcept {
    const std::size_t used = std::min(count, _size - _compared);
    if (used != 0) {
        steps().compare(burst_table(*_in), used, _hashes.data() + _compared, _places.data() + _compared,
                        _payloads.data() + _compared);
        _compared += used;
    }
}

std::span<const std::uint32_t> lookup_burst::resolve() noexcept {
    compare(_size);
    return {_payloads.data(), _size};
}

}  // namespace postern::recipients
