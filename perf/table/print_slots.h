// What a minimal perfect hash lacks to tell members from strangers: beside each key's number a fingerprint of 32 bits
// and a payload, in one memory of 8 octets a key on the same pages as everything else.
#pragma once

#include <cstdint>

#include "perf/table/digest.h"
#include "perf/table/pages.h"

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

}  // namespace postern::perf::table
