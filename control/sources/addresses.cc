#include "control/sources/addresses.h"

#include <algorithm>
#include <utility>

#include "control/sources/glob.h"
#include "control/sources/text.h"
#include "smtp/recipients/address.h"

namespace postern::sources {
namespace {

struct address_value {
    std::string text;
    bool address = false;  ///< false: a prefix of something that is no mail address
    bool primary = false;
};

bool is_prefix_character(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

address_value read_value(std::string_view value) {
    const std::size_t colon = value.find(':');
    if (colon != std::string_view::npos && colon != 0 &&
        std::all_of(value.begin(), value.begin() + static_cast<std::ptrdiff_t>(colon), is_prefix_character)) {
        const std::string_view prefix = value.substr(0, colon);
        return {trimmed(value.substr(colon + 1)), same(prefix, "smtp"), prefix == "SMTP"};
    }
    return {trimmed(value), true, false};
}

bool is_address(std::string_view text) {
    thread_local recipients::normal_address normal;
    return recipients::parse_address(text, {true, false}, normal).has_value();
}

bool is_excluded(const std::vector<std::string>& patterns, std::string_view address) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const std::string& pattern) { return glob_match(pattern, address); });
}

}  // namespace

void address_collector::take(std::string_view value) {
    address_value read = read_value(value);
    if (!read.address) {
        return;
    }
    if (!is_address(read.text)) {
        ++_unreadable;
        return;
    }
    auto at =
        std::find_if(_found.begin(), _found.end(), [&](const std::string& known) { return same(known, read.text); });
    if (at == _found.end()) {
        at = _found.insert(_found.end(), std::move(read.text));
    }
    if (read.primary && !_primary) {
        _primary = static_cast<std::size_t>(at - _found.begin());
    }
}

address_collector::outcome address_collector::finish(const std::vector<std::string>& exclude, directory_entry& to) {
    if (_found.empty()) {
        return outcome::none;
    }
    // What Exchange calls primary; `mail` is often a copy of it, and sometimes an old one.
    const auto at = _found.begin() + static_cast<std::ptrdiff_t>(_primary.value_or(0));
    to.address = std::move(*at);
    _found.erase(at);
    std::vector<std::string> others = std::exchange(_found, {});
    _primary.reset();
    if (is_excluded(exclude, to.address)) {
        return outcome::excluded;
    }
    for (std::string& each : others) {
        if (!is_excluded(exclude, each)) {
            to.aliases.push_back(std::move(each));
        }
    }
    return outcome::entry;
}

}  // namespace postern::sources
