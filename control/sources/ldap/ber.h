// The few BER elements that the values of LDAP controls are made of: definite lengths, tags of one octet, nothing
// read past the end. libldap has its own for whole messages; values from a server are taken apart here, where they can
// be fuzzed without a connection. X.690 8.1; RFC 4511 5.1 (restrictions).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postern::sources::ldap {

namespace tag {
inline constexpr std::uint8_t boolean = 0x01;
inline constexpr std::uint8_t integer = 0x02;
inline constexpr std::uint8_t octet_string = 0x04;
inline constexpr std::uint8_t enumerated = 0x0A;
inline constexpr std::uint8_t sequence = 0x30;
inline constexpr std::uint8_t set = 0x31;
}  // namespace tag

/// Reads element by element. Every `take_…` that fails leaves the reader where it was; views refer to its input.
class ber_reader {
public:
    explicit ber_reader(std::string_view octets) noexcept : _rest(octets) {}
    bool at_end() const noexcept { return _rest.empty(); }
    /// Tag of the next element; nothing at the end.
    std::optional<std::uint8_t> next_tag() const noexcept;
    /// Content of the next element, if it has this tag and is all there.
    std::optional<std::string_view> take(std::uint8_t tag) noexcept;
    /// INTEGER or ENUMERATED of at most 64 bits.
    std::optional<std::int64_t> take_integer(std::uint8_t tag = tag::integer) noexcept;
    std::optional<bool> take_boolean(std::uint8_t tag = tag::boolean) noexcept;

private:
    std::string_view _rest;
};

void append_element(std::string& to, std::uint8_t tag, std::string_view content);
void append_integer(std::string& to, std::int64_t value, std::uint8_t tag = tag::integer);
void append_boolean(std::string& to, bool value);

}  // namespace postern::sources::ldap
