#include "control/api/message.h"

namespace postern::api {

std::string_view to_string(method verb) noexcept {
    switch (verb) {
        case method::get:
            return "GET";
        case method::post:
            return "POST";
        case method::put:
            return "PUT";
        case method::patch:
            return "PATCH";
        case method::del:
            return "DELETE";
    }
    return "GET";
}

std::string_view to_string(role who) noexcept {
    switch (who) {
        case role::nobody:
            return "nobody";
        case role::reader:
            return "reader";
        case role::operator_:
            return "operator";
        case role::admin:
            return "admin";
    }
    return "nobody";
}

std::optional<role> parse_role(std::string_view word) noexcept {
    for (const role each : {role::reader, role::operator_, role::admin}) {
        if (word == to_string(each)) {
            return each;
        }
    }
    return std::nullopt;
}

std::string_view request::field(std::string_view lower_case_name) const noexcept {
    for (const auto& [name, value] : fields) {
        if (name == lower_case_name) {
            return value;
        }
    }
    return {};
}

}  // namespace postern::api
