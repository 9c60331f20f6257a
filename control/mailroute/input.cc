#include "control/mailroute/input.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>

#include "control/api/body.h"
#include "control/mailroute/filter.h"
#include "control/mailroute/uris.h"

namespace postern::mailroute {
namespace {

using boost::json::value;

template <class T>
using read = tl::expected<T, std::string>;

constexpr std::size_t longest_list = 64UL * 1024;

bool has_control_character(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) {
        const auto octet = static_cast<unsigned char>(c);
        return octet < 0x20 || octet == 0x7F;
    });
}

/// What was given, for an error.
std::string shown(const value& given) {
    std::string out = boost::json::serialize(given);
    if (out.size() > 100) {
        std::size_t end = 100;
        while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xC0U) == 0x80U) {
            --end;  // not within a character
        }
        out = out.substr(0, end) + "…";
    }
    return out;
}

read<bool> read_flag(const value& given) {
    if (given.is_bool()) {
        return given.get_bool();
    }
    const std::string text = given.is_string() ? std::string(given.get_string()) : shown(given);
    if (text == "true" || text == "True" || text == "1") {
        return true;
    }
    if (text == "false" || text == "False" || text == "0") {
        return false;
    }
    return tl::unexpected("Enter true or false, not " + shown(given) + ".");
}

read<std::int64_t> read_number(const field& of, const value& given) {
    std::string text = given.is_string() ? std::string(given.get_string()) : shown(given);
    std::int64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, code] = std::from_chars(text.data(), end, number);
    if (code != std::errc() || stop != end || number < of.least || number > of.most) {
        return tl::unexpected("Enter a whole number from " + std::to_string(of.least) + " to " +
                              std::to_string(of.most) + ", not " + shown(given) + ".");
    }
    return number;
}

read<std::string> read_text(const field& of, const value& given) {
    std::string text;
    if (given.is_string()) {
        text = std::string(given.get_string());
    } else if (given.is_int64() || given.is_uint64()) {
        text = shown(given);  // a local part of digits
    } else {
        return tl::unexpected("Enter a text, not " + shown(given) + ".");
    }
    if (text.size() > of.longest) {
        return tl::unexpected("This has " + std::to_string(text.size()) + " octets; at most " +
                              std::to_string(of.longest) + " are taken.");
    }
    if (has_control_character(text)) {
        return tl::unexpected(std::string("This has a control character in it."));
    }
    return text;
}

read<std::vector<std::string>> read_joined(const value& given) {
    std::vector<std::string> out;
    std::size_t octets = 0;
    const auto add = [&](std::string_view each) {
        octets += each.size();
        if (!each.empty()) {
            out.emplace_back(each);
        }
        return octets <= longest_list && !has_control_character(each);
    };
    bool good = given.is_string() || given.is_array();
    if (given.is_string()) {
        for (const std::string_view each : split(given.get_string())) {
            good = good && add(each);
        }
    } else if (given.is_array()) {
        for (const value& each : given.get_array()) {
            good = good && each.is_string() && add(each.get_string());
        }
    }
    if (!good) {
        return tl::unexpected("Enter texts with commas between them or as a list, " + std::to_string(longest_list) +
                              " octets at most, not " + shown(given) + ".");
    }
    return out;
}

read<std::int64_t> read_reference(const field& of, const value& given) {
    const value* named = &given;
    if (const auto* const whole = given.if_object()) {
        for (const std::string_view member : {"resource_uri", "id"}) {
            if (const value* const found = whole->if_contains(member)) {
                named = found;
                break;
            }
        }
    }
    std::optional<std::int64_t> id;
    if (named->is_string()) {
        id = parse_reference(named->get_string(), of.leads_to->name);
    } else if (named->is_int64() && named->get_int64() > 0) {
        id = named->get_int64();
    }
    if (!id) {
        return tl::unexpected("Enter a URI such as " + object_uri(of.leads_to->name, 12) + ", not " + shown(given) +
                              ".");
    }
    return *id;
}

template <class T>
read<input_value> as_value(read<T>&& from) {
    if (!from) {
        return tl::unexpected(std::move(from.error()));
    }
    return input_value(std::move(*from));
}

read<input_value> read_field(const field& of, const value& given) {
    if (given.is_null()) {
        if (of.nullable) {
            return input_value(nullptr);
        }
        return tl::unexpected(std::string("This field cannot be null."));
    }
    switch (of.type) {
        case field_type::boolean:
            return as_value(read_flag(given));
        case field_type::integer:
            return as_value(read_number(of, given));
        case field_type::to_one:
            return as_value(read_reference(of, given));
        case field_type::joined:
            return as_value(read_joined(given));
        case field_type::string:
        case field_type::datetime:
        case field_type::list:
            break;
    }
    return as_value(read_text(of, given));
}

bool is_empty(const value& given) {
    return given.is_null() || (given.is_string() && given.get_string().empty());
}

bool is_taken(const field& of, purpose why) {
    switch (of.access) {
        case access::written:
            return true;
        case access::not_by_put:
            return why != purpose::put;
        case access::kept:
        case access::disregarded:
            break;
    }
    return false;
}

}  // namespace

result<input> input::read(const resource& of, const value& body, purpose why) {
    const auto* const given = body.if_object();
    if (given == nullptr) {
        return refuse(400, "The body is not an object of " + std::string(of.name) + "'s fields.");
    }
    input out;
    std::vector<field_error> errors;
    for (const field& each : of.fields) {
        if (!is_taken(each, why)) {
            continue;
        }
        const value* const found = given->if_contains(each.name);
        if (each.required && (found == nullptr ? why == purpose::post : is_empty(*found))) {
            errors.push_back({std::string(each.name), std::string(required_text)});
            continue;
        }
        if (found == nullptr) {
            continue;
        }
        auto value = read_field(each, *found);
        if (!value) {
            errors.push_back({std::string(each.name), std::move(value.error())});
            continue;
        }
        out._members.push_back({each.name, std::move(*value)});
    }
    if (!errors.empty()) {
        return refuse(of, errors);
    }
    return out;
}

const input_value* input::find(std::string_view field) const {
    const auto found =
        std::find_if(_members.begin(), _members.end(), [&](const member& each) { return each.name == field; });
    return found == _members.end() ? nullptr : &found->value;
}

bool input::is_null(std::string_view field) const {
    const input_value* const found = find(field);
    return found != nullptr && std::holds_alternative<std::nullptr_t>(*found);
}

result<value> read_body(std::string_view body) {
    auto parsed = api::parse_json(body);
    if (!parsed) {
        return tl::unexpected(refusal(parsed.error()));
    }
    return std::move(*parsed);
}

}  // namespace postern::mailroute
