#include "control/api/path.h"

#include <utility>

#include "control/api/encode.h"

namespace postern::api {
namespace {

/// Takes the path's next part (between slashes) off its front.
std::string_view take_part(std::string_view& path) {
    path.remove_prefix(1);
    const std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(part.size());
    return part;
}

}  // namespace

std::optional<std::vector<std::string>> match_path(std::string_view pattern, std::string_view path) {
    std::vector<std::string> arguments;
    while (!pattern.empty() && !path.empty()) {
        if (path.front() != '/') {
            return std::nullopt;
        }
        const std::string_view wanted = take_part(pattern);
        const std::string_view given = take_part(path);
        if (!wanted.starts_with('{')) {
            if (wanted != given) {
                return std::nullopt;
            }
            continue;
        }
        auto value = percent_decode(given, false);
        if (!value || value->empty() || value->size() > max_argument_octets || !is_utf8(*value)) {
            return std::nullopt;
        }
        arguments.push_back(std::move(*value));
    }
    if (!pattern.empty() || !path.empty()) {
        return std::nullopt;
    }
    return arguments;
}

}  // namespace postern::api
