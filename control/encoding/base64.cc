#include "control/encoding/base64.h"

#include <cstddef>
#include <cstdint>

namespace postern::encoding {

namespace {

constexpr std::string_view ordinary = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view for_urls = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string encode(std::string_view octets, std::string_view alphabet) {
    std::string out;
    out.reserve((octets.size() + 2) / 3 * 4);
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (const char c : octets) {
        bits = bits << 8U | static_cast<unsigned char>(c);
        held += 8;
        while (held >= 6) {
            held -= 6;
            out += alphabet[bits >> held & 63U];
        }
        bits &= (1U << held) - 1U;
    }
    if (held > 0) {
        out += alphabet[bits << (6U - held) & 63U];
    }
    return out;
}

std::optional<std::string> decode(std::string_view text, std::string_view alphabet) {
    std::string out;
    out.reserve(text.size() / 4 * 3 + 2);
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (const char c : text) {
        const std::size_t value = alphabet.find(c);
        if (value == std::string_view::npos) {
            return std::nullopt;
        }
        bits = bits << 6U | static_cast<std::uint32_t>(value);
        held += 6;
        if (held >= 8) {
            held -= 8;
            out += static_cast<char>(bits >> held & 0xffU);
            bits &= (1U << held) - 1U;
        }
    }
    if (held >= 6 || bits != 0) {
        return std::nullopt;
    }
    return out;
}

}  // namespace

std::string to_base64(std::string_view octets) {
    std::string out = encode(octets, ordinary);
    out.append((4 - out.size() % 4) % 4, '=');
    return out;
}

std::optional<std::string> from_base64(std::string_view text) {
    if (text.size() % 4 != 0) {
        return std::nullopt;
    }
    for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) {
        text.remove_suffix(1);
    }
    return decode(text, ordinary);
}

std::string to_base64url(std::string_view octets) {
    return encode(octets, for_urls);
}

std::optional<std::string> from_base64url(std::string_view text) {
    return decode(text, for_urls);
}

}  // namespace postern::encoding
