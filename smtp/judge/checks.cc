#include "smtp/judge/checks.h"

#include <algorithm>
#include <array>

namespace postern::judge {
namespace {

char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// `word` is in lower case.
bool is_word(std::string_view text, std::string_view word) noexcept {
    return std::equal(text.begin(), text.end(), word.begin(), word.end(),
                      [](char given, char wanted) { return lower(given) == wanted; });
}

std::string_view trimmed(std::string_view text) noexcept {
    const std::size_t first = text.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// The value's first word, as in "Yes, score=7.1 required=5".
bool says_yes(std::string_view value) noexcept {
    const std::string_view first = value.substr(0, value.find_first_of(" \t,;"));
    return is_word(first, "yes") || is_word(first, "true");
}

}  // namespace

verdict check_header(std::string_view message) {
    constexpr std::array<std::string_view, 3> marks{"x-spam-flag", "x-spam-status", "x-spam"};
    bool has_from = false;
    while (!message.empty()) {
        const std::string_view line = message.substr(0, message.find('\n'));
        message.remove_prefix(std::min(message.size(), line.size() + 1));
        if (trimmed(line).empty()) {
            break;
        }
        const std::size_t colon = line.find(':');
        if (line.front() == ' ' || line.front() == '\t' || colon == std::string_view::npos) {
            continue;
        }
        const std::string_view name = trimmed(line.substr(0, colon));
        has_from = has_from || is_word(name, "from");
        const auto is_mark = [&](std::string_view mark) { return is_word(name, mark); };
        if (std::any_of(marks.begin(), marks.end(), is_mark) && says_yes(trimmed(line.substr(colon + 1)))) {
            return {opinion::bad, "marked as spam on its way"};
        }
    }
    return has_from ? verdict{} : verdict{opinion::bad, "no From field"};
}

}  // namespace postern::judge
