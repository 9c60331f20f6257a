#include "control/sources/settings_reader.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <utility>

#include "control/sources/text.h"

namespace postern::sources {
namespace {

constexpr std::size_t most_patterns = 64;
constexpr std::size_t longest_pattern = 1024;
constexpr std::size_t longest_pem = 512 * 1024;  ///< a CA file may hold many

}  // namespace

tl::unexpected<settings_error> wrong_setting(std::string member, std::string text) {
    return tl::unexpected<settings_error>(settings_error{std::move(member), std::move(text)});
}

const boost::json::value* settings_reader::take(std::string_view name) {
    _known.push_back(name);
    const boost::json::value* const found = _from.if_contains(name);
    _taken += found == nullptr ? 0 : 1;
    return found;
}

bool settings_reader::has(std::string_view name) const {
    return _from.contains(name);
}

void settings_reader::text(std::string_view name, std::string& to) {
    if (const boost::json::value* const value = take(name)) {
        if (value->is_string()) {
            to = value->get_string();
        } else {
            refuse(name, "it is no string");
        }
    }
}

void settings_reader::flag(std::string_view name, bool& to) {
    if (const boost::json::value* const value = take(name)) {
        if (value->is_bool()) {
            to = value->get_bool();
        } else {
            refuse(name, "it is neither true nor false");
        }
    }
}

void settings_reader::number(std::string_view name, std::uint32_t& to) {
    if (const boost::json::value* const value = take(name)) {
        boost::json::error_code failed;
        const auto read = value->to_number<std::uint32_t>(failed);
        if (failed) {
            refuse(name, "it is no whole number, or out of bounds");
        } else {
            to = read;
        }
    }
}

void settings_reader::texts(std::string_view name, std::vector<std::string>& to) {
    if (const boost::json::value* const value = take(name)) {
        if (!value->is_array()) {
            refuse(name, "it is no array of strings");
            return;
        }
        to.clear();
        for (const boost::json::value& each : value->get_array()) {
            if (!each.is_string()) {
                refuse(name, "it is no array of strings");
                return;
            }
            to.emplace_back(each.get_string());
        }
    }
}

void settings_reader::secret(std::string_view name) {
    if (has(name)) {
        refuse(name, "a secret is kept apart from the other settings: set it as the source's secret");
    }
}

void settings_reader::refuse(std::string_view name, std::string text) {
    if (!_wrong) {
        _wrong = settings_error{std::string(name), std::move(text)};
    }
}

std::optional<settings_error> settings_reader::finish() {
    if (!_wrong && _taken != _from.size()) {
        for (const auto& each : _from) {
            if (std::find(_known.begin(), _known.end(), std::string_view(each.key())) == _known.end()) {
                refuse(each.key(), "there is no such setting");
            }
        }
    }
    return _wrong;
}

settings_check read_secrets(std::string_view text, std::string_view kind, std::initializer_list<named_secret> all) {
    if (text.empty()) {
        return {};
    }
    boost::json::error_code failed;
    const boost::json::value parsed = boost::json::parse(text, failed);
    if (failed || !parsed.is_object()) {
        return wrong_setting("secrets", "the secrets are no JSON object");
    }
    for (const auto& member : parsed.get_object()) {
        const auto* const at = std::find_if(all.begin(), all.end(), [&](const named_secret& each) {
            return each.name == std::string_view(member.key());
        });
        if (at == all.end()) {
            std::string names;
            for (const named_secret& each : all) {
                names += (names.empty() ? "" : ", ") + std::string(each.name);
            }
            return wrong_setting("secrets", std::string(kind) + " has no secret \"" + std::string(member.key()) +
                                                "\"; there are: " + names);
        }
        if (!member.value().is_string()) {
            return wrong_setting("secrets", "the secret " + std::string(at->name) + " is no string");
        }
        at->value = member.value().get_string();
    }
    return {};
}

boost::json::array to_array(const std::vector<std::string>& from) {
    boost::json::array out;
    for (const std::string& each : from) {
        out.emplace_back(each);
    }
    return out;
}

settings_check check_numbers(std::span<const number_bounds> all) {
    for (const number_bounds& each : all) {
        if (each.value < each.least || each.value > each.most) {
            return wrong_setting(each.member, std::to_string(each.value) + " is not between " +
                                                  std::to_string(each.least) + " and " + std::to_string(each.most));
        }
    }
    return {};
}

settings_check check_certificates(const char* member, std::string_view pem) {
    if (pem.size() > longest_pem || (!pem.empty() && pem.find("-----BEGIN CERTIFICATE-----") == std::string::npos)) {
        return wrong_setting(member,
                             "it is no certificate in PEM form: give the file's text, with its line "
                             "\"-----BEGIN CERTIFICATE-----\"");
    }
    return {};
}

settings_check check_patterns(const char* member, const std::vector<std::string>& patterns) {
    if (patterns.size() > most_patterns) {
        return wrong_setting(member, "there may be " + std::to_string(most_patterns));
    }
    for (const std::string& each : patterns) {
        if (each.empty() || each.size() > longest_pattern || has_control_character(each)) {
            return wrong_setting(member, "\"" + each + "\" is no pattern; write it as \"svc-*@example.com\"");
        }
    }
    return {};
}

}  // namespace postern::sources
