#include "control/api/times.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>

namespace postern::api {

boost::json::value time_value(std::int64_t at) {
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

std::optional<std::int64_t> parse_time(std::string_view text) {
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
    std::int64_t out = static_cast<std::int64_t>(seconds) * 1000;
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
    const std::int64_t offset = (number(at + 1, 2) * 60LL + number(at + 4, 2)) * 60'000;
    return zone[0] == '+' ? out - offset : out + offset;
}

}  // namespace postern::api
