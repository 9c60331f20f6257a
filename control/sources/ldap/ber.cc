#include "control/sources/ldap/ber.h"

#include <cstddef>

namespace postern::sources::ldap {
namespace {

std::uint8_t octet(std::string_view text, std::size_t at) noexcept {
    return static_cast<std::uint8_t>(text[at]);
}

}  // namespace

std::optional<std::uint8_t> ber_reader::next_tag() const noexcept {
    return _rest.empty() ? std::nullopt : std::optional(octet(_rest, 0));
}

std::optional<std::string_view> ber_reader::take(std::uint8_t tag) noexcept {
    if (_rest.size() < 2 || octet(_rest, 0) != tag) {
        return std::nullopt;
    }
    std::size_t header = 2;
    std::size_t length = octet(_rest, 1);
    if (length >= 0x80U) {
        // The long form; 0x80 alone is the indefinite one, which LDAP forbids.
        const std::size_t octets = length & 0x7FU;
        if (octets == 0 || octets > 4 || _rest.size() < header + octets) {
            return std::nullopt;
        }
        length = 0;
        for (std::size_t at = 0; at < octets; ++at) {
            length = length << 8U | octet(_rest, header + at);
        }
        header += octets;
    }
    if (_rest.size() - header < length) {
        return std::nullopt;
    }
    const std::string_view content = _rest.substr(header, length);
    _rest.remove_prefix(header + length);
    return content;
}

std::optional<std::int64_t> ber_reader::take_integer(std::uint8_t tag) noexcept {
    const std::string_view before = _rest;
    const auto content = take(tag);
    if (!content || content->empty() || content->size() > 8) {
        _rest = before;
        return std::nullopt;
    }
    std::uint64_t value = octet(*content, 0) >= 0x80U ? ~std::uint64_t{0} : 0;
    for (std::size_t at = 0; at < content->size(); ++at) {
        value = value << 8U | octet(*content, at);
    }
    return static_cast<std::int64_t>(value);
}

std::optional<bool> ber_reader::take_boolean(std::uint8_t tag) noexcept {
    const std::string_view before = _rest;
    const auto content = take(tag);
    if (!content || content->size() != 1) {
        _rest = before;
        return std::nullopt;
    }
    return octet(*content, 0) != 0;
}

void append_element(std::string& to, std::uint8_t tag, std::string_view content) {
    to += static_cast<char>(tag);
    const std::size_t size = content.size();
    if (size < 0x80U) {
        to += static_cast<char>(size);
    } else {
        // Four octets of length for all that is long: BER allows it, and cookies are short.
        to += static_cast<char>(0x84U);
        for (int shift = 24; shift >= 0; shift -= 8) {
            to += static_cast<char>((size >> static_cast<unsigned>(shift)) & 0xFFU);
        }
    }
    to += content;
}

void append_integer(std::string& to, std::int64_t value, std::uint8_t tag) {
    std::string content;
    for (int shift = 56; shift >= 0; shift -= 8) {
        content += static_cast<char>((static_cast<std::uint64_t>(value) >> static_cast<unsigned>(shift)) & 0xFFU);
    }
    // The shortest form (X.690 8.3.2): no first nine bits that are all the same.
    while (content.size() > 1 && ((octet(content, 0) == 0x00 && octet(content, 1) < 0x80U) ||
                                  (octet(content, 0) == 0xFF && octet(content, 1) >= 0x80U))) {
        content.erase(0, 1);
    }
    append_element(to, tag, content);
}

void append_boolean(std::string& to, bool value) {
    append_element(to, tag::boolean, value ? "\xFF" : std::string_view("\0", 1));
}

}  // namespace postern::sources::ldap
