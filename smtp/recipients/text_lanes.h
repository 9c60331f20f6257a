// Copies of up to eight texts that wait to be hashed together, where the texts themselves don't stay.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "smtp/recipients/siphash.h"

namespace postern::recipients {

class text_lanes {
public:
    bool full() const noexcept { return _used == hash_lanes_count; }
    std::size_t used() const noexcept { return _used; }

    /// Preconditions: !full(), text.size() <= max_hashed_text.
    void add(std::string_view text) noexcept {
        char* const to = _octets[_used].data();
        copy(to, text);
        _texts[_used++] = {to, text.size()};
    }

    /// Hashes them in their order, up to eight; none waits afterwards. Precondition: used() > 0.
    void hash(const hash_key& key, std::uint64_t* out) noexcept {
        hash_texts(key, _texts.data(), _used, out);
        _used = 0;
    }

private:
    /// Addresses are short: two loads and stores of one width that may overlap, instead of a call.
    static void copy(char* to, std::string_view text) noexcept {
        const char* const from = text.data();
        const std::size_t size = text.size();
        if (size >= 16 && size <= 32) {
            std::memcpy(to, from, 16);
            std::memcpy(to + size - 16, from + size - 16, 16);
        } else {
            std::memcpy(to, from, size);
        }
    }

    alignas(64) std::array<std::array<char, max_hashed_text>, hash_lanes_count> _octets;  // NOLINT: filled by add
    std::array<std::string_view, hash_lanes_count> _texts;
    std::size_t _used = 0;
};

}  // namespace postern::recipients
