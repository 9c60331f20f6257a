#include "smtp/recipients/unicode.h"

#include <idn2.h>
#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace postern::recipients::unicode {
namespace {

struct free_memory {
    void operator()(void* at) const noexcept { std::free(at); }
};

const std::uint8_t* octets(std::string_view text) noexcept {
    return reinterpret_cast<const std::uint8_t*>(text.data());
}

tl::expected<std::size_t, address_error> fold_once(std::string_view text, std::span<char> out) noexcept {
    std::size_t size = out.size();
    auto* const into = reinterpret_cast<std::uint8_t*>(out.data());
    std::uint8_t* const result = u8_casefold(octets(text), text.size(), nullptr, UNINORM_NFC, into, &size);
    if (result == nullptr) {
        return tl::unexpected(address_error::not_utf8);
    }
    if (result != into) {
        // Memory of the library's own: what came out is longer than the buffer.
        std::free(result);
        return tl::unexpected(address_error::too_long);
    }
    return size;
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
    return u8_check(octets(text), text.size()) == nullptr;
}

bool has_controls(std::string_view text) noexcept {
    for (std::size_t at = 0; at < text.size();) {
        ucs4_t c = 0;
        const int size = u8_mbtouc(&c, octets(text) + at, text.size() - at);
        if ((c >= 0x80 && c <= 0x9F) || c == 0x2028 || c == 0x2029) {
            return true;
        }
        at += static_cast<std::size_t>(size);
    }
    return false;
}

tl::expected<std::size_t, address_error> fold(std::string_view text, std::span<char> out) noexcept {
    // Folding can bring marks into an order, or letters side by side, that fold again.
    constexpr int most_rounds = 4;
    std::array<char, normal_address::capacity> before;  // NOLINT: filled up to `size`
    auto size = fold_once(text, out);
    for (int i = 0; i < most_rounds && size; ++i) {
        const std::size_t had = *size;
        if (had > before.size()) {
            return tl::unexpected(address_error::too_long);
        }
        std::memcpy(before.data(), out.data(), had);
        size = fold_once({before.data(), had}, out);
        if (size && *size == had && std::memcmp(before.data(), out.data(), had) == 0) {
            return size;
        }
    }
    return size ? tl::unexpected(address_error::local_syntax) : size;
}

tl::expected<std::size_t, address_error> to_ascii(std::string_view domain, std::span<char> out) noexcept {
    std::array<char, normal_address::capacity + 1> terminated;  // NOLINT: filled below
    if (domain.size() >= terminated.size()) {
        return tl::unexpected(address_error::domain_too_long);
    }
    std::memcpy(terminated.data(), domain.data(), domain.size());
    terminated[domain.size()] = '\0';
    std::uint8_t* raw = nullptr;
    const int code = idn2_lookup_u8(reinterpret_cast<const std::uint8_t*>(terminated.data()), &raw,
                                    IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    const std::unique_ptr<std::uint8_t, free_memory> result(raw);
    if (code == IDN2_TOO_BIG_DOMAIN || code == IDN2_TOO_BIG_LABEL || code == IDN2_PUNYCODE_BIG_OUTPUT) {
        return tl::unexpected(address_error::domain_too_long);
    }
    if (code != IDN2_OK || result == nullptr) {
        return tl::unexpected(address_error::bad_idn);
    }
    const std::size_t size = std::strlen(reinterpret_cast<const char*>(result.get()));
    if (size > out.size()) {
        return tl::unexpected(address_error::domain_too_long);
    }
    std::memcpy(out.data(), result.get(), size);
    return size;
}

}  // namespace postern::recipients::unicode
