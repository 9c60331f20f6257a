#include "control/sources/glob.h"

#include <cstddef>

namespace postern::sources {
namespace {

unsigned char fold(char c) noexcept {
    const auto octet = static_cast<unsigned char>(c);
    return octet >= 'A' && octet <= 'Z' ? static_cast<unsigned char>(octet + 32U) : octet;
}

/// Octets of the character at the beginning of a non-empty text; 1 for octets that make none.
std::size_t character(std::string_view text) noexcept {
    const auto first = static_cast<unsigned char>(text.front());
    std::size_t size = 1;
    if (first >= 0xF0U) {
        size = 4;
    } else if (first >= 0xE0U) {
        size = 3;
    } else if (first >= 0xC0U) {
        size = 2;
    }
    if (size > text.size()) {
        return 1;
    }
    for (std::size_t at = 1; at < size; ++at) {
        if ((static_cast<unsigned char>(text[at]) & 0xC0U) != 0x80U) {
            return 1;
        }
    }
    return size;
}

/// Where the set that begins at `pattern[0] == '['` ends (its `]`), or npos.
std::size_t set_end(std::string_view pattern) noexcept {
    std::size_t at = 1;
    if (at < pattern.size() && pattern[at] == '!') {
        ++at;
    }
    // A `]` that comes first belongs to the set.
    return at < pattern.size() ? pattern.find(']', at + 1) : std::string_view::npos;
}

/// `set` is what stands between the brackets.
bool in_set(std::string_view set, char c) noexcept {
    const bool negated = set.starts_with('!');
    if (negated) {
        set.remove_prefix(1);
    }
    const unsigned char sought = fold(c);
    bool found = false;
    for (std::size_t at = 0; at < set.size() && !found; ++at) {
        if (at + 2 < set.size() && set[at + 1] == '-') {
            found = fold(set[at]) <= sought && sought <= fold(set[at + 2]);
            at += 2;
        } else {
            found = fold(set[at]) == sought;
        }
    }
    return found != negated;
}

/// Matches one element other than `*` at the beginning of both; sizes of what it took, 0 if it does not match.
struct taken {
    std::size_t pattern = 0;
    std::size_t text = 0;
};
taken one(std::string_view pattern, std::string_view text) noexcept {
    if (text.empty() || pattern.empty()) {
        return {};
    }
    if (pattern.front() == '?') {
        return {1, character(text)};
    }
    if (pattern.front() == '[') {
        const std::size_t end = set_end(pattern);
        if (end != std::string_view::npos) {
            // A character beyond ASCII is in no set but a negated one, and is then taken whole.
            const std::size_t size = character(text);
            return in_set(pattern.substr(1, end - 1), text.front()) ? taken{end + 1, size} : taken{};
        }
    }
    return fold(pattern.front()) == fold(text.front()) ? taken{1, 1} : taken{};
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view text) noexcept {
    // On a mismatch only the last `*` needs to take one more character: what stood before it has matched for good.
    bool starred = false;
    std::string_view after_star;
    std::string_view star_text;
    while (true) {
        if (pattern.starts_with('*')) {
            starred = true;
            pattern.remove_prefix(1);
            after_star = pattern;
            star_text = text;
            continue;
        }
        if (pattern.empty() && text.empty()) {
            return true;
        }
        const taken step = one(pattern, text);
        if (step.pattern != 0) {
            pattern.remove_prefix(step.pattern);
            text.remove_prefix(step.text);
            continue;
        }
        if (!starred || star_text.empty()) {
            return false;
        }
        star_text.remove_prefix(character(star_text));
        pattern = after_star;
        text = star_text;
    }
}

}  // namespace postern::sources
