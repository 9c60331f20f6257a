#include "control/recent/events.h"

#include <array>

namespace postern::recent {

namespace {

constexpr std::array<std::string_view, 9> words = {"listed",    "would_reject", "refused_behind",
                                                   "deferred",  "rejected",     "unknown",
                                                   "good_mail", "bad_mail",     "listed_refused"};

}  // namespace

std::string_view to_string(outcome how) noexcept {
    const auto at = static_cast<std::size_t>(how);
    return at < words.size() ? words.at(at) : words.at(static_cast<std::size_t>(outcome::unknown));
}

outcome parse_outcome(std::string_view word) noexcept {
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (words.at(i) == word) {
            return static_cast<outcome>(i);
        }
    }
    return outcome::unknown;
}

}  // namespace postern::recent
