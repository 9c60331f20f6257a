#include "smtp/recipients/kind_words.h"

#include <algorithm>
#include <array>

namespace postern::recipients {

namespace {

constexpr std::array<std::string_view, 6> words = {"user", "shared", "resource", "list", "alias", "unclassified"};

}  // namespace

std::string_view to_string(mailbox_kind kind) noexcept {
    const auto at = static_cast<std::size_t>(kind);
    return at < words.size() ? words[at] : "unknown";
}

std::optional<mailbox_kind> parse_kind(std::string_view word) noexcept {
    const auto* const found = std::find(words.begin(), words.end(), word);
    if (found == words.end()) {
        return std::nullopt;
    }
    return static_cast<mailbox_kind>(found - words.begin());
}

}  // namespace postern::recipients
