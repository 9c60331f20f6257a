// Character classes of addresses. RFC 5321 4.1.2, RFC 5322 3.2.3, RFC 6531 3.3.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace postern::recipients::grammar {

enum char_class : std::uint8_t {
    atext = 1,    ///< ASCII of an atom
    qtext = 2,    ///< ASCII of a quoted string as it stands
    quoted = 4,   ///< ASCII that may follow a backslash
    let_dig = 8,  ///< letters and digits
    label = 16,   ///< letters, digits, hyphen, underscore: hosts are LDH, but mail domains with underscores are about
    eight_bit = 32,
};

inline constexpr std::array<std::uint8_t, 256> classes = [] {
    std::array<std::uint8_t, 256> table{};
    for (unsigned c = 0; c < 256; ++c) {
        const bool letter_or_digit = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        std::uint8_t is = 0;
        if (letter_or_digit) {
            is |= atext | let_dig | label;
        }
        if (c == '-' || c == '_') {
            is |= label;
        }
        if (c != 0 && c < 128 &&
            std::string_view("!#$%&'*+-/=?^_`{|}~").find(static_cast<char>(c)) != std::string_view::npos) {
            is |= atext;
        }
        if (c >= 32 && c <= 126) {
            is |= quoted;
            if (c != '"' && c != '\\') {
                is |= qtext;
            }
        }
        if (c >= 128) {
            is |= eight_bit;
        }
        table[c] = is;
    }
    return table;
}();

constexpr bool is(char c, std::uint8_t which) noexcept {
    return (classes[static_cast<std::uint8_t>(c)] & which) != 0;
}

constexpr char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

inline bool has_eight_bit(std::string_view text) noexcept {
    std::uint64_t all = 0;
    std::size_t i = 0;
    for (; i + 8 <= text.size(); i += 8) {
        std::uint64_t eight = 0;
        std::memcpy(&eight, text.data() + i, sizeof eight);
        all |= eight;
    }
    for (; i < text.size(); ++i) {
        all |= static_cast<std::uint8_t>(text[i]);
    }
    return (all & 0x8080808080808080U) != 0;
}

/// Atoms joined by single dots; octets over 127 count as atom text (RFC 6531).
constexpr bool is_dot_string(std::string_view text) noexcept {
    bool atom = false;
    for (const char c : text) {
        if (is(c, atext | eight_bit)) {
            atom = true;
        } else if (c == '.' && atom) {
            atom = false;
        } else {
            return false;
        }
    }
    return atom;
}

/// `text` equals `lower_word` in any case. `lower_word` is in lower case.
constexpr bool equals_folded(std::string_view text, std::string_view lower_word) noexcept {
    if (text.size() != lower_word.size()) {
        return false;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (lower(text[i]) != lower_word[i]) {
            return false;
        }
    }
    return true;
}

}  // namespace postern::recipients::grammar
