#include "control/api/body.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/parse_options.hpp>
#include <boost/json/stream_parser.hpp>
#include <limits>
#include <utility>

namespace postern::api {
namespace {

bool is_json(std::string_view content_type) {
    const std::string_view type = content_type.substr(0, content_type.find(';'));
    std::string folded(type.substr(0, type.find_last_not_of(" \t") + 1));
    std::transform(folded.begin(), folded.end(), folded.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return folded == "application/json" || folded == "application/merge-patch+json";
}

bool has_control_character(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) {
        const auto octet = static_cast<unsigned char>(c);
        return octet < 0x20 || octet == 0x7F;
    });
}

std::string_view kind_word(const boost::json::value& value) {
    switch (value.kind()) {
        case boost::json::kind::null:
            return "null";
        case boost::json::kind::bool_:
            return "a boolean";
        case boost::json::kind::int64:
        case boost::json::kind::uint64:
        case boost::json::kind::double_:
            return "a number";
        case boost::json::kind::string:
            return "a string";
        case boost::json::kind::array:
            return "an array";
        case boost::json::kind::object:
            return "an object";
    }
    return "something else";
}

/// A member's name within a JSON pointer (RFC 6901 3).
std::string escaped(std::string_view name) {
    std::string out;
    for (const char c : name) {
        if (c == '~') {
            out += "~0";
        } else if (c == '/') {
            out += "~1";
        } else {
            out += c;
        }
    }
    return out;
}

}  // namespace

answer<boost::json::value> parse_json(std::string_view text) {
    boost::json::parse_options options;
    options.max_depth = max_json_depth;
    boost::json::stream_parser parser({}, options);
    boost::json::error_code error;
    const std::size_t taken = parser.write_some(text.data(), text.size(), error);
    if (!error && taken == text.size()) {
        parser.finish(error);
    }
    if (error || taken != text.size()) {
        const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(taken), '\n');
        return tl::unexpected(bad_request("The body is not JSON: " + (error ? error.message() : "text after its end") +
                                          " (line " + std::to_string(line) + ", octet " + std::to_string(taken) +
                                          ")."));
    }
    return parser.release();
}

answer<boost::json::value> parse_json(const request& from) {
    const std::string_view type = from.field("content-type");
    if (!is_json(type)) {
        return tl::unexpected(unsupported_media_type(
            type.empty() ? "The body has no Content-Type; this resource takes application/json."
                         : "The body is \"" + std::string(type) + "\"; this resource takes application/json."));
    }
    return parse_json(std::string_view(from.body));
}
answer<boost::json::object> parse_json_object(const request& from) {
    auto value = parse_json(from);
    if (!value) {
        return tl::unexpected(std::move(value.error()));
    }
    if (!value->is_object()) {
        return tl::unexpected(bad_request("The body is " + std::string(kind_word(*value)) + ", not an object."));
    }
    return std::move(value->as_object());
}

members::members(const boost::json::object& object, std::string pointer, std::vector<field_error>& errors)
    : _object(object), _pointer(std::move(pointer)), _errors(errors) {}

std::string members::pointer(std::string_view name) const {
    return _pointer + "/" + escaped(name);
}

void members::refuse(std::string_view name, std::string detail) {
    _errors.push_back({pointer(name), std::move(detail)});
}

bool members::has(std::string_view name) const {
    return _object.contains(name);
}

bool members::is_null(std::string_view name) const {
    const boost::json::value* const found = _object.if_contains(name);
    return found != nullptr && found->is_null();
}

const boost::json::value* members::take(std::string_view name) {
    _known.push_back(name);
    return _object.if_contains(name);
}

std::optional<std::string> members::text(std::string_view name, std::size_t longest) {
    const boost::json::value* const found = take(name);
    if (found == nullptr) {
        return std::nullopt;
    }
    if (!found->is_string()) {
        refuse(name, "is " + std::string(kind_word(*found)) + ", not a string");
        return std::nullopt;
    }
    const std::string_view value(found->get_string().data(), found->get_string().size());
    if (value.size() > longest) {
        refuse(name, "is longer than " + std::to_string(longest) + " octets");
        return std::nullopt;
    }
    if (has_control_character(value)) {
        refuse(name, "has a control character");
        return std::nullopt;
    }
    return std::string(value);
}

std::string members::required_text(std::string_view name, std::size_t longest) {
    if (!has(name)) {
        take(name);
        refuse(name, "is missing");
        return {};
    }
    const std::size_t errors_before = _errors.size();
    auto value = text(name, longest);
    if (_errors.size() == errors_before && value->empty()) {
        refuse(name, "is empty");
    }
    return value.value_or(std::string());
}

std::string members::id_or_name(std::string_view name) {
    const boost::json::value* const found = _object.if_contains(name);
    if (found != nullptr && found->is_number()) {
        const auto id = number(name, 1, std::numeric_limits<std::int64_t>::max());
        return id ? std::to_string(*id) : std::string();
    }
    return required_text(name, 1024);
}

std::optional<std::int64_t> members::number(std::string_view name, std::int64_t least, std::int64_t most) {
    const boost::json::value* const found = take(name);
    if (found == nullptr) {
        return std::nullopt;
    }
    boost::json::error_code error;
    const auto value = found->is_number() ? found->to_number<std::int64_t>(error) : 0;
    if (!found->is_number() || error || value < least || value > most) {
        refuse(name, "is not a whole number from " + std::to_string(least) + " to " + std::to_string(most));
        return std::nullopt;
    }
    return value;
}

std::optional<bool> members::flag(std::string_view name) {
    const boost::json::value* const found = take(name);
    if (found == nullptr) {
        return std::nullopt;
    }
    if (!found->is_bool()) {
        refuse(name, "is " + std::string(kind_word(*found)) + ", not true or false");
        return std::nullopt;
    }
    return found->get_bool();
}

std::optional<std::string> members::word(std::string_view name, std::initializer_list<std::string_view> words) {
    auto value = text(name);
    if (value && std::find(words.begin(), words.end(), *value) == words.end()) {
        std::string all;
        for (const std::string_view each : words) {
            all += all.empty() ? "\"" : ", \"";
            all += each;
            all += '"';
        }
        refuse(name, "\"" + *value + "\" is not one of " + all);
        return std::nullopt;
    }
    return value;
}

std::optional<std::vector<std::string>> members::texts(std::string_view name, std::size_t most, std::size_t longest) {
    const boost::json::value* const found = take(name);
    if (found == nullptr) {
        return std::nullopt;
    }
    if (!found->is_array() || found->get_array().size() > most) {
        refuse(name, "is not an array of at most " + std::to_string(most) + " strings");
        return std::nullopt;
    }
    std::vector<std::string> out;
    for (std::size_t at = 0; at < found->get_array().size(); ++at) {
        const boost::json::value& each = found->get_array()[at];
        const bool good = each.is_string() && each.get_string().size() <= longest && !each.get_string().empty() &&
                          !has_control_character({each.get_string().data(), each.get_string().size()});
        if (!good) {
            _errors.push_back({pointer(name) + "/" + std::to_string(at),
                               "is not a string of 1 to " + std::to_string(longest) + " printable octets"});
            continue;
        }
        out.emplace_back(each.get_string().data(), each.get_string().size());
    }
    return out;
}

std::optional<std::vector<const boost::json::object*>> members::objects(std::string_view name, std::size_t most) {
    const boost::json::value* const found = take(name);
    if (found == nullptr) {
        return std::nullopt;
    }
    if (!found->is_array() || found->get_array().size() > most) {
        refuse(name, "is not an array of at most " + std::to_string(most) + " objects");
        return std::nullopt;
    }
    std::vector<const boost::json::object*> out;
    for (std::size_t at = 0; at < found->get_array().size(); ++at) {
        const boost::json::value& each = found->get_array()[at];
        if (!each.is_object()) {
            _errors.push_back({pointer(name) + "/" + std::to_string(at), "is not an object"});
            continue;
        }
        out.push_back(&each.get_object());
    }
    return out;
}

void members::finish() {
    for (const auto& member : _object) {
        const std::string_view name(member.key().data(), member.key().size());
        if (std::find(_known.begin(), _known.end(), name) == _known.end()) {
            refuse(name, "is not a member that this resource knows");
        }
    }
}

}  // namespace postern::api
