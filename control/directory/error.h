// What the directory's functions answer when they can't do what was asked: a kind for programs, a sentence for people.
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>

namespace postern::directory {

enum class error_kind : std::uint8_t {
    invalid,    ///< the value can't be taken; `field` names it
    not_found,  ///< no such thing
    conflict,   ///< it exists already, or something still hangs on it
    refused,    ///< a rule forbids it now (enforce on an empty list)
    busy,       ///< another change held the store longer than the caller would wait: try again
    failed,     ///< the store itself failed (disk full, damaged file, newer schema)
};

struct error {
    error_kind kind = error_kind::failed;
    std::string text;   ///< what was wrong, with the value, and what to do
    std::string field;  ///< the input's name, if one is to blame
};

template <class T>
using result = tl::expected<T, error>;

inline tl::unexpected<error> fail(error_kind kind, std::string text, std::string field = {}) {
    return tl::unexpected<error>(error{kind, std::move(text), std::move(field)});
}

}  // namespace postern::directory
