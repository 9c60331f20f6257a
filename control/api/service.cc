#include "control/api/service.h"

#include <array>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <limits>

#include "control/api/encode.h"

namespace postern::api {

problem to_problem(const directory::error& error) {
    switch (error.kind) {
        case directory::error_kind::invalid:
            return invalid("/" + error.field, error.text);
        case directory::error_kind::not_found:
            return not_found(error.text);
        case directory::error_kind::conflict:
        case directory::error_kind::refused: {
            problem made = conflict(error.text);
            if (!error.field.empty()) {
                made.errors.push_back({"/" + error.field, error.text});
            }
            return made;
        }
        case directory::error_kind::busy: {
            problem made = unavailable(error.text);
            made.fields.emplace_back("Retry-After", "5");
            return made;
        }
        case directory::error_kind::failed:
            return internal(error.text);
    }
    return internal(error.text);
}

response json(unsigned status, const boost::json::object& body) {
    response made;
    made.status = status;
    made.body = boost::json::serialize(body);
    made.body += '\n';
    return made;
}

std::string entity_tag(const boost::json::object& body) {
    return '"' + sha256(boost::json::serialize(body)).substr(0, 32) + '"';
}

response tagged(unsigned status, const boost::json::object& body) {
    response made = json(status, body);
    made.fields.emplace_back("ETag", entity_tag(body));
    return made;
}

answer<void> check_match(const call& in, const boost::json::object& present) {
    const std::string_view wanted = in.asked.field("if-match");
    if (wanted.empty() || wanted == "*" || wanted.find(entity_tag(present)) != std::string_view::npos) {
        return {};
    }
    problem made =
        changed("It is not what If-Match names any more: get it again and repeat the edit on the new state.");
    made.errors.push_back({"If-Match", "the present ETag is " + entity_tag(present)});
    return tl::unexpected(std::move(made));
}

response no_content() {
    response made;
    made.status = 204;
    return made;
}

directory::page_request to_directory(const page_request& page) {
    return {page.after, page.limit};
}

answer<std::uint64_t> id_argument(const call& in, std::size_t at, std::uint64_t most) {
    const std::string& text = in.argument(at);
    std::uint64_t id = 0;
    const char* const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, id);
    if (parsed.ec != std::errc() || parsed.ptr != end || id == 0 || id > most) {
        return tl::unexpected(not_found("\"" + text + "\" is not an id."));
    }
    return id;
}

answer<std::uint32_t> id32_argument(const call& in, std::size_t at) {
    const auto id = id_argument(in, at, std::numeric_limits<std::uint32_t>::max());
    if (!id) {
        return failure(id);
    }
    return static_cast<std::uint32_t>(*id);
}

boost::json::value time_value(directory::timestamp at) {
    if (at == 0) {
        return nullptr;
    }
    const std::time_t seconds = static_cast<std::time_t>(at / 1000);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 64> text{};
    const int size = std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                                   parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
                                   parts.tm_sec, static_cast<int>(at % 1000));
    return boost::json::value(boost::json::string_view(text.data(), static_cast<std::size_t>(size)));
}

std::optional<directory::timestamp> parse_time(std::string_view text) {
    // YYYY-MM-DDTHH:MM:SS[.fff](Z|±HH:MM)
    constexpr std::string_view shape = "dddd-dd-ddTdd:dd:dd";
    if (text.size() < shape.size() + 1) {
        return std::nullopt;
    }
    const auto digit = [&](std::size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '9'; };
    for (std::size_t at = 0; at < shape.size(); ++at) {
        if (shape[at] == 'd' ? !digit(at) : text[at] != shape[at]) {
            return std::nullopt;
        }
    }
    const auto number = [&](std::size_t at, std::size_t size) {
        int value = 0;
        std::from_chars(text.data() + at, text.data() + at + size, value);
        return value;
    };
    std::tm parts{};
    parts.tm_year = number(0, 4) - 1900;
    parts.tm_mon = number(5, 2) - 1;
    parts.tm_mday = number(8, 2);
    parts.tm_hour = number(11, 2);
    parts.tm_min = number(14, 2);
    parts.tm_sec = number(17, 2);
    const std::tm asked = parts;
    if (parts.tm_hour > 23 || parts.tm_min > 59 || parts.tm_sec > 60) {
        return std::nullopt;
    }
    const std::time_t seconds = ::timegm(&parts);
    if (parts.tm_mon != asked.tm_mon || parts.tm_mday != asked.tm_mday) {
        return std::nullopt;  // 31 February was carried over
    }
    directory::timestamp out = static_cast<directory::timestamp>(seconds) * 1000;
    std::size_t at = shape.size();
    if (text[at] == '.') {
        int scale = 100;
        for (++at; digit(at); ++at) {
            out += scale * (text[at] - '0');
            scale /= 10;
        }
    }
    const std::string_view zone = text.substr(at);
    if (zone == "Z") {
        return out;
    }
    if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':' || !digit(at + 1) || !digit(at + 2) ||
        !digit(at + 4) || !digit(at + 5)) {
        return std::nullopt;
    }
    const directory::timestamp offset = (number(at + 1, 2) * 60LL + number(at + 4, 2)) * 60'000;
    return zone[0] == '+' ? out - offset : out + offset;
}

}  // namespace postern::api
