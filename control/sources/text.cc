#include "control/sources/text.h"

#include <cstddef>

namespace postern::sources {
namespace {

constexpr std::size_t longest_line = 200;

constexpr bool is_control(char c) noexcept {
    const auto octet = static_cast<unsigned char>(c);
    return octet < 0x20 || octet == 0x7F;
}

}  // namespace

std::string trimmed(std::string_view text) {
    const std::size_t from = text.find_first_not_of(" \t\r\n");
    return from == std::string_view::npos ? ""
                                          : std::string(text.substr(from, text.find_last_not_of(" \t\r\n") + 1 - from));
}

bool has_control_character(std::string_view text) noexcept {
    return std::any_of(text.begin(), text.end(), is_control);
}

std::string one_line(std::string_view text) {
    std::size_t size = std::min(text.size(), longest_line);
    while (size < text.size() && size != 0 && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) {
        --size;
    }
    std::string out(text.substr(0, size));
    std::replace_if(out.begin(), out.end(), is_control, ' ');
    const std::size_t end = out.find_last_not_of(' ');
    out.resize(end == std::string::npos ? 0 : end + 1);
    return out;
}

}  // namespace postern::sources
