#include "control/discovery/evidence.h"

#include <algorithm>
#include <charconv>

#include "smtp/recipients/forms.h"

namespace postern::discovery {

std::optional<subject> subject_of(std::string_view address, const recipients::domain_settings& domain) {
    const std::string_view local = address.substr(0, address.rfind('@'));
    if (local.empty() || local.find('=') != std::string_view::npos || recipients::is_always(local, domain)) {
        return std::nullopt;
    }
    recipients::local_forms forms;
    recipients::other_forms(local, domain, forms);
    if (forms.count == 0) {
        return subject{std::string(local), false};
    }
    const std::string_view base = forms.locals.front();
    if (recipients::is_always(base, domain)) {
        return std::nullopt;
    }
    return subject{std::string(base), true};
}

message_times::message_times(std::string_view kept) {
    const char* at = kept.data();
    const char* const end = kept.data() + kept.size();
    while (at != end && _times.size() < most_times) {
        directory::timestamp time = 0;
        const auto [stop, wrong] = std::from_chars(at, end, time);
        if (wrong != std::errc()) {
            break;
        }
        _times.push_back(time);
        at = stop == end ? end : stop + 1;
    }
}

void message_times::add(directory::timestamp at) {
    _times.insert(std::upper_bound(_times.begin(), _times.end(), at), at);
    if (_times.size() > most_times) {
        _times.erase(_times.begin());
    }
}

std::size_t message_times::count(directory::timestamp since) const {
    return static_cast<std::size_t>(
        std::count_if(_times.begin(), _times.end(), [&](directory::timestamp each) { return each >= since; }));
}

std::string message_times::text() const {
    std::string out;
    for (const directory::timestamp each : _times) {
        out += (out.empty() ? "" : " ") + std::to_string(each);
    }
    return out;
}

}  // namespace postern::discovery
