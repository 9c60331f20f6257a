// What a minimal perfect hash lacks to tell members from strangers: beside each key's number a fingerprint of 32 bits
// and a payload, in one memory of 8 octets a key on the same pages as everything else.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "perf/table/digest.h"
#include "perf/table/pages.h"
#include "perf/table/queries.h"

namespace postern::perf::table {

class print_slots {
public:
    print_slots(std::uint64_t keys, bool huge_pages) : _keys(keys), _memory(keys * sizeof(slot), huge_pages) {}

    void set(std::uint64_t number, const digest& of) noexcept { slots()[number] = {print_of(of), 1}; }
    void prefetch(std::uint64_t number) const noexcept {
        if (number < _keys) {
            __builtin_prefetch(slots() + number);
        }
    }
    bool has(std::uint64_t number, const digest& of) const noexcept {
        return number < _keys && slots()[number].print == print_of(of) && slots()[number].payload != 0;
    }
    std::uint64_t octets() const noexcept { return _keys * sizeof(slot); }
    /// Of strangers, at most.
    static constexpr double false_accepts = 1.0 / (1ULL << 32U);

private:
    struct slot {
        std::uint32_t print;
        std::uint16_t payload;
    };
    slot* slots() const noexcept { return reinterpret_cast<slot*>(_memory.data()); }
    static std::uint32_t print_of(const digest& of) noexcept { return static_cast<std::uint32_t>(of.high); }

    std::uint64_t _keys;
    mapping _memory;
};

/// The low halves of the digests of the list's addresses: what the function is made of.
inline std::vector<std::uint64_t> low_halves(std::uint64_t keys) {
    std::vector<std::uint64_t> out(keys);
    for (std::uint64_t i = 0; i < keys; ++i) {
        out[i] = digest_of(view(text_of(i))).low;
    }
    return out;
}

/// Gives each address of the list its slot. `number_of`: the function, of a digest.
template <class Function>
void fill(print_slots& slots, std::uint64_t keys, Function&& number_of) {
    for (std::uint64_t i = 0; i < keys; ++i) {
        const digest of = digest_of(view(text_of(i)));
        slots.set(number_of(of), of);
    }
}

/// Answers a block in two passes over each batch: numbers first, each slot prefetched, then fingerprints.
template <class Function>
void ask_by_number(const print_slots& slots, const query_block& block, std::size_t batch, bool* answers,
                   Function&& number_of) {
    std::array<digest, 64> digests;
    std::array<std::uint64_t, 64> numbers;  // NOLINT: filled up to the batch
    for (std::size_t begin = 0; begin < block.size; begin += batch) {
        for (std::size_t i = 0; i < batch; ++i) {
            digests[i] = digest_of(block.texts[begin + i]);
            numbers[i] = number_of(digests[i]);
            slots.prefetch(numbers[i]);
        }
        for (std::size_t i = 0; i < batch; ++i) {
            answers[begin + i] = slots.has(numbers[i], digests[i]);
        }
    }
}

}  // namespace postern::perf::table
