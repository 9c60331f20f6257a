// What a client sends for an object, read by the resource's description.
//
// As lenient as client libraries need it: they send back whole objects with everything that they once read, numbers and
// truth values as texts, relations as URIs, ids or objects. Members that the resource does not know, and those that are
// Postern's own to say, are ignored.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "control/mailroute/description.h"

namespace postern::mailroute {

enum class purpose : std::uint8_t { post, put, patch };

using input_value = std::variant<std::nullptr_t, bool, std::int64_t, std::string, std::vector<std::string>>;

class input {
public:
    /// Every wrong value is told of in one answer: 400 by field.
    static result<input> read(const resource& of, const boost::json::value& body, purpose why);

    bool has(std::string_view field) const { return find(field) != nullptr; }
    bool is_null(std::string_view field) const;
    /// The value; nullopt if it is absent or null. Precondition: the field's type is of this kind.
    std::optional<std::string> text(std::string_view field) const { return get<std::string>(field); }
    std::optional<bool> flag(std::string_view field) const { return get<bool>(field); }
    std::optional<std::int64_t> number(std::string_view field) const { return get<std::int64_t>(field); }
    std::optional<std::vector<std::string>> texts(std::string_view field) const {
        return get<std::vector<std::string>>(field);
    }
    /// The id of what a relation leads to.
    std::optional<std::int64_t> id(std::string_view field) const { return get<std::int64_t>(field); }

private:
    struct member {
        std::string_view name;
        input_value value;
    };
    const input_value* find(std::string_view field) const;
    template <class T>
    std::optional<T> get(std::string_view field) const {
        const input_value* const found = find(field);
        const T* const value = found == nullptr ? nullptr : std::get_if<T>(found);
        return value == nullptr ? std::nullopt : std::optional<T>(*value);
    }
    std::vector<member> _members;
};

/// A body as JSON, whatever its Content-Type says: 400 for one that is not.
result<boost::json::value> read_body(std::string_view body);

}  // namespace postern::mailroute
