#include "control/sources/fingerprint.h"

#include <xxhash.h>

#include <array>
#include <charconv>

namespace postern::sources {

void fingerprint_maker::add(std::string_view text) {
    _all += std::to_string(text.size());
    _all += ':';
    _all += text;
}

void fingerprint_maker::add(const std::vector<std::string>& texts) {
    add(std::to_string(texts.size()));
    for (const std::string& each : texts) {
        add(each);
    }
}

std::string fingerprint_maker::text() const {
    std::array<char, 16> digits{};
    const auto made =
        std::to_chars(digits.data(), digits.data() + digits.size(), XXH3_64bits(_all.data(), _all.size()), 16);
    std::string out(digits.data(), made.ptr);
    return std::string(digits.size() - out.size(), '0') + out;
}

}  // namespace postern::sources
