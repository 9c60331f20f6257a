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

std::string joined_lines(const std::vector<std::string>& lines) {
    std::string out;
    for (const std::string& each : lines) {
        out += (out.empty() ? "" : "\n") + each;
    }
    return out;
}

std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        out.emplace_back(line);
    }
    return out;
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
