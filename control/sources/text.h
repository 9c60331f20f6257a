// Small things about text that the sources of directories share. ASCII alone; no locale.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace postern::sources {

constexpr char fold(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

inline std::string folded(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), fold);
    return out;
}

/// Without regard to case.
constexpr bool same(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return fold(x) == fold(y); });
}

/// Without spaces, tabs and line ends around it.
std::string trimmed(std::string_view text);

bool has_control_character(std::string_view text) noexcept;

/// Texts without line ends as lines of one text, and back.
std::string joined_lines(const std::vector<std::string>& lines);
std::vector<std::string> lines_of(std::string_view text);

/// What a server says as one line of at most 200 octets, cut between characters, control characters as spaces.
std::string one_line(std::string_view text);

}  // namespace postern::sources
