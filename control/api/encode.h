// Small encodings that tokens, cursors, entity tags and idempotency keys need: percent-decoding (RFC 3986 2.1), UTF-8,
// SHA-256, and randomness from OpenSSL.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace postern::api {

/// nullopt: a `%` not followed by two hex digits, or a NUL, encoded or not. `plus_is_space` for queries.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);
/// Everything but the unreserved characters encoded.
std::string percent_encode(std::string_view text);

/// Well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates).
bool is_utf8(std::string_view text) noexcept;
/// The text with `?` for every octet that is not part of well-formed UTF-8, and for control characters.
std::string printable_utf8(std::string_view text);

std::string hex(std::string_view octets);

/// SHA-256 in hex, in one go or piece by piece.
std::string sha256(std::string_view octets);
class sha256_stream {
public:
    sha256_stream();
    ~sha256_stream();
    sha256_stream(sha256_stream&&) noexcept;
    sha256_stream& operator=(sha256_stream&&) noexcept;
    void add(std::string_view octets);
    std::string finish();  ///< hex; the object is used up

private:
    struct state;
    std::unique_ptr<state> _state;
};

/// `count` octets from the system's randomness. Throws std::runtime_error if there is none (a broken machine).
std::string random_octets(std::size_t count);

/// Compares without telling by its time where they differ.
bool equal_constant_time(std::string_view a, std::string_view b) noexcept;

}  // namespace postern::api
