#include "control/mailroute/uris.h"

#include <algorithm>
#include <charconv>

namespace postern::mailroute {

std::string object_uri(std::string_view resource, std::int64_t id) {
    return std::string(base_path) + std::string(resource) + '/' + std::to_string(id) + '/';
}

std::optional<std::int64_t> parse_id(std::string_view text) {
    std::int64_t id = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, code] = std::from_chars(text.data(), end, id);
    if (code != std::errc() || stop != end || id <= 0) {
        return std::nullopt;
    }
    return id;
}

std::optional<std::int64_t> parse_reference(std::string_view text, std::string_view resource) {
    if (const std::size_t scheme = text.find("://"); scheme != std::string_view::npos) {
        const std::size_t path = text.find('/', scheme + 3);
        text.remove_prefix(std::min(path, text.size()));
    }
    if (text.starts_with(base_path)) {
        text.remove_prefix(base_path.size());
        if (!text.starts_with(resource) || text.substr(resource.size(), 1) != "/") {
            return std::nullopt;
        }
        text.remove_prefix(resource.size() + 1);
        if (text.ends_with('/')) {
            text.remove_suffix(1);
        }
    }
    return parse_id(text);
}

}  // namespace postern::mailroute
