#include "control/api/query.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "control/api/encode.h"
#include "control/encoding/base64.h"

namespace postern::api {
namespace {

std::string listed(std::initializer_list<std::string_view> words) {
    std::string out;
    for (const std::string_view word : words) {
        if (!out.empty()) {
            out += ", ";
        }
        out += '"';
        out += word;
        out += '"';
    }
    return out;
}

}  // namespace

std::string make_cursor(std::string_view order, std::string_view position) {
    std::string plain(order);
    plain += '\0';
    plain += position;
    return encoding::to_base64url(plain);
}

answer<std::vector<decoded_parameter>> decode_query(std::string_view raw, std::size_t max_octets, std::size_t most) {
    if (raw.size() > max_octets) {
        return tl::unexpected(bad_request("The query is longer than " + std::to_string(max_octets) + " octets."));
    }
    std::vector<decoded_parameter> out;
    while (!raw.empty()) {
        const std::string_view pair = raw.substr(0, raw.find('&'));
        raw.remove_prefix(std::min(raw.size(), pair.size() + 1));
        if (pair.empty()) {
            continue;
        }
        const std::size_t equals = pair.find('=');
        auto name = percent_decode(pair.substr(0, equals), true);
        auto value =
            percent_decode(equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1), true);
        if (!name || !value) {
            return tl::unexpected(bad_request("The query has a percent sign that is not followed by two hex digits."));
        }
        if (!is_utf8(*name) || !is_utf8(*value)) {
            return tl::unexpected(bad_request("The query is not UTF-8."));
        }
        if (out.size() == most) {
            return tl::unexpected(bad_request("The query has more than " + std::to_string(most) + " parameters."));
        }
        out.push_back({std::move(*name), std::move(*value)});
    }
    return out;
}

answer<query> query::parse(std::string_view raw) {
    auto decoded = decode_query(raw, max_query_octets, max_query_parameters);
    if (!decoded) {
        return tl::unexpected(std::move(decoded.error()));
    }
    query parsed;
    for (decoded_parameter& each : *decoded) {
        if (parsed.find(each.name) != nullptr) {
            return tl::unexpected(
                bad_request("The query has a parameter twice.", {{"?" + each.name, "is given twice"}}));
        }
        parsed._parameters.push_back({std::move(each.name), std::move(each.value), false});
    }
    return parsed;
}

query::parameter* query::find(std::string_view name) {
    const auto found =
        std::find_if(_parameters.begin(), _parameters.end(), [&](const parameter& each) { return each.name == name; });
    return found == _parameters.end() ? nullptr : &*found;
}

void query::refuse(std::string_view name, std::string detail) {
    _errors.push_back({"?" + std::string(name), std::move(detail)});
}

std::optional<std::string> query::text(std::string_view name, std::size_t longest) {
    parameter* const found = find(name);
    if (found == nullptr) {
        return std::nullopt;
    }
    found->used = true;
    if (found->value.size() > longest) {
        refuse(name, "is longer than " + std::to_string(longest) + " octets");
        return std::nullopt;
    }
    return found->value;
}

std::optional<std::int64_t> query::number(std::string_view name, std::int64_t least, std::int64_t most) {
    const auto value = text(name);
    if (!value) {
        return std::nullopt;
    }
    std::int64_t number = 0;
    const char* const end = value->data() + value->size();
    const auto parsed = std::from_chars(value->data(), end, number);
    if (parsed.ec != std::errc() || parsed.ptr != end || number < least || number > most) {
        refuse(name,
               "\"" + *value + "\" is not a number from " + std::to_string(least) + " to " + std::to_string(most));
        return std::nullopt;
    }
    return number;
}

std::optional<bool> query::flag(std::string_view name) {
    const auto value = word(name, {"true", "false"});
    return value ? std::optional<bool>(*value == "true") : std::nullopt;
}

std::optional<std::string> query::word(std::string_view name, std::initializer_list<std::string_view> words) {
    auto value = text(name);
    if (value && std::find(words.begin(), words.end(), *value) == words.end()) {
        refuse(name, "\"" + *value + "\" is not one of " + listed(words));
        return std::nullopt;
    }
    return value;
}

page_request query::paging(std::initializer_list<std::string_view> orders) {
    page_request page;
    page.order = *orders.begin();
    if (const auto limit = number("limit", 1, max_limit)) {
        page.limit = static_cast<std::uint32_t>(*limit);
    }
    if (const auto sort = word("sort", orders)) {
        page.order = *sort;
    }
    if (const auto cursor = text("cursor", 2048)) {
        const auto plain = encoding::from_base64url(*cursor);
        const std::size_t zero = plain ? plain->find('\0') : std::string::npos;
        if (zero == std::string::npos || zero + 1 == plain->size()) {
            refuse("cursor", "is not one that this API gave (take it from \"next\" of the page before)");
        } else if (plain->substr(0, zero) != page.order) {
            refuse("cursor",
                   "belongs to the order \"" + plain->substr(0, zero) + "\"; keep \"sort\" from page to page");
        } else {
            page.after = plain->substr(zero + 1);
        }
    }
    return page;
}

answer<void> query::finish() {
    for (const parameter& each : _parameters) {
        if (!each.used) {
            _errors.push_back({"?" + each.name, "is not a parameter of this resource"});
        }
    }
    if (!_errors.empty()) {
        std::string detail = "The query is wrong: " + _errors.front().pointer + " " + _errors.front().detail + ".";
        return tl::unexpected(bad_request(std::move(detail), std::exchange(_errors, {})));
    }
    return {};
}

}  // namespace postern::api
