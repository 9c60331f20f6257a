#include "smtp/protocol/paths.h"

#include <algorithm>
#include <cstddef>

namespace postern::protocol {

namespace {

constexpr bool is_alphanumeric(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// Behind `@a,@b:` if the path begins so; what is there is not looked at (RFC 5321 appendix C: ignored). A colon that
/// is missing leaves the path as it is, which then is no address.
std::string_view without_route(std::string_view path) noexcept {
    if (path.empty() || path.front() != '@') {
        return path;
    }
    const std::size_t colon = path.find(':');
    return colon == std::string_view::npos ? path : path.substr(colon + 1);
}

}  // namespace

std::string_view trimmed(std::string_view text) noexcept {
    while (!text.empty() && text.front() == ' ') {
        text.remove_prefix(1);
    }
    while (!text.empty() && text.back() == ' ') {
        text.remove_suffix(1);
    }
    return text;
}

bool is_word(std::string_view text, std::string_view upper) noexcept {
    return text.size() == upper.size() && std::equal(text.begin(), text.end(), upper.begin(), [](char a, char b) {
               return (a >= 'a' && a <= 'z' ? static_cast<char>(a - 'a' + 'A') : a) == b;
           });
}

std::optional<bracketed_path> split_path(std::string_view text) noexcept {
    std::size_t end = text.find('>');
    if (end == std::string_view::npos || text.substr(0, end).find('"') != std::string_view::npos) {
        end = 1;
        for (bool quoted = false; end < text.size() && (quoted || text[end] != '>'); ++end) {
            if (text[end] == '"') {
                quoted = !quoted;
            } else if (text[end] == '\\' && quoted) {
                ++end;
            }
        }
    }
    if (end >= text.size()) {
        return std::nullopt;
    }
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && rest.front() != ' ') {
        return std::nullopt;
    }
    return bracketed_path{without_route(text.substr(1, end - 1)), trimmed(rest)};
}

std::optional<parameter> next_parameter(std::string_view& rest) noexcept {
    const std::string_view word = rest.substr(0, rest.find(' '));
    rest = trimmed(rest.substr(word.size()));

    const std::size_t equals = word.find('=');
    parameter out;
    out.keyword = word.substr(0, equals);
    if (out.keyword.empty() || !is_alphanumeric(out.keyword.front()) ||
        !std::all_of(out.keyword.begin(), out.keyword.end(), [](char c) { return is_alphanumeric(c) || c == '-'; })) {
        return std::nullopt;
    }
    if (equals != std::string_view::npos) {
        out.has_value = true;
        out.value = word.substr(equals + 1);
        if (out.value.empty() || out.value.find('=') != std::string_view::npos) {
            return std::nullopt;
        }
    }
    return out;
}

}  // namespace postern::protocol
