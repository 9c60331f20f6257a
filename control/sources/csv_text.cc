#include "control/sources/csv_text.h"

#include <unistr.h>

#include <algorithm>
#include <array>

namespace postern::sources {
namespace {

constexpr std::uint32_t replacement = 0xFFFD;

// 0x80 to 0x9F; the five octets without a character stand for their control code.
constexpr std::array<std::uint16_t, 32> upper_controls = {
    0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x008D, 0x017D, 0x008F, 0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178};

void append_utf8(std::uint32_t code, std::string& to) {
    if (code < 0x80) {
        to += static_cast<char>(code);
    } else if (code < 0x800) {
        to += static_cast<char>(0xC0U | (code >> 6U));
        to += static_cast<char>(0x80U | (code & 0x3FU));
    } else if (code < 0x10000) {
        to += static_cast<char>(0xE0U | (code >> 12U));
        to += static_cast<char>(0x80U | ((code >> 6U) & 0x3FU));
        to += static_cast<char>(0x80U | (code & 0x3FU));
    } else {
        to += static_cast<char>(0xF0U | (code >> 18U));
        to += static_cast<char>(0x80U | ((code >> 12U) & 0x3FU));
        to += static_cast<char>(0x80U | ((code >> 6U) & 0x3FU));
        to += static_cast<char>(0x80U | (code & 0x3FU));
    }
}

void append_windows1252(char octet, std::string& to) {
    const auto value = static_cast<unsigned char>(octet);
    append_utf8(value >= 0x80 && value < 0xA0 ? upper_controls.at(value - 0x80U) : value, to);
}

}  // namespace

std::string_view to_string(encoding which) noexcept {
    switch (which) {
        case encoding::utf8:
            return "UTF-8";
        case encoding::utf16le:
            return "UTF-16LE";
        case encoding::utf16be:
            return "UTF-16BE";
        case encoding::windows1252:
            return "Windows-1252";
    }
    return "";
}

bool is_utf8(std::string_view text) noexcept {
    return u8_check(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()) == nullptr;
}

std::string from_windows1252(std::string_view text) {
    std::string out;
    for (const char octet : text) {
        append_windows1252(octet, out);
    }
    return out;
}

encoding_guess guess_encoding(std::string_view beginning, bool whole) {
    if (beginning.starts_with("\xEF\xBB\xBF")) {
        return {encoding::utf8, true, 3, false};
    }
    if (beginning.starts_with("\xFF\xFE")) {
        return {encoding::utf16le, true, 2, false};
    }
    if (beginning.starts_with("\xFE\xFF")) {
        return {encoding::utf16be, true, 2, false};
    }
    // A character may be cut off at the end of the piece: leave out its beginning.
    std::string_view text = beginning;
    if (!whole) {
        for (int back = 0; back < 4 && !text.empty() && static_cast<unsigned char>(text.back()) >= 0x80; ++back) {
            text.remove_suffix(1);
        }
    }
    const bool ascii =
        std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    if (is_utf8(text)) {
        return {encoding::utf8, false, 0, ascii};
    }
    return {encoding::windows1252, false, 0, false};
}

void text_decoder::unit(std::uint32_t code, std::string& to) {
    const bool high = code >= 0xD800 && code < 0xDC00;
    const bool low = code >= 0xDC00 && code < 0xE000;
    if (_high != 0) {
        if (low) {
            append_utf8(0x10000U + ((_high - 0xD800U) << 10U) + (code - 0xDC00U), to);
            _high = 0;
            return;
        }
        append_utf8(replacement, to);
        _high = 0;
    }
    if (high) {
        _high = code;
    } else {
        append_utf8(low ? replacement : code, to);
    }
}

void text_decoder::decode(std::string_view octets, std::string& to) {
    switch (_from) {
        case encoding::utf8:
            to += octets;
            return;
        case encoding::windows1252:
            for (const char octet : octets) {
                append_windows1252(octet, to);
            }
            return;
        case encoding::utf16le:
        case encoding::utf16be:
            for (const char octet : octets) {
                const int value = static_cast<unsigned char>(octet);
                if (_half < 0) {
                    _half = value;
                    continue;
                }
                const int code = _from == encoding::utf16le ? _half | value << 8 : _half << 8 | value;
                _half = -1;
                unit(static_cast<std::uint32_t>(code), to);
            }
            return;
    }
}

void text_decoder::finish(std::string& to) {
    if (_half >= 0 || _high != 0) {
        append_utf8(replacement, to);
    }
    _half = -1;
    _high = 0;
}

std::string plain_text(std::string_view text, std::size_t most) {
    std::string out;
    for (const char c : text.substr(0, most)) {
        out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    }
    while (text.size() > most && !out.empty() && (static_cast<unsigned char>(out.back()) & 0xC0U) == 0x80U) {
        out.pop_back();
    }
    if (text.size() > most && !out.empty() && static_cast<unsigned char>(out.back()) >= 0xC0U) {
        out.pop_back();
    }
    return is_utf8(out) ? out : plain_text(from_windows1252(out), most);  // which made it longer
}

}  // namespace postern::sources
