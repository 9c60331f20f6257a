// Command lines: whatever comes, no crash; what is taken is printable, of bounded length, and lies within the line; and
// the plain reading of a line's octets agrees with the fast one.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "smtp/protocol/commands.h"
#include "smtp/protocol/octets.h"

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace postern::protocol;
    static postern::recipients::normal_address address;
    if (size == 0) {
        return 0;
    }
    const extension_set announced = (data[0] & 1U) != 0 ? usual_extensions : extension_set{};
    const std::string line(data + 1, data + size);

    const octet_kinds kinds = kinds_of(line);
    const auto octet = [](char c) { return static_cast<unsigned char>(c); };
    const auto is_control = [&](char c) { return octet(c) < 0x20 || octet(c) == 0x7f; };
    const auto is_high = [&](char c) { return octet(c) > 0x7f; };
    require(kinds.control == std::any_of(line.begin(), line.end(), is_control));
    require(kinds.high == std::any_of(line.begin(), line.end(), is_high));

    const plain_recipient plain = find_plain_recipient(line, address);
    if (!plain.path.empty()) {
        // The long way takes the line likewise.
        const std::string normal(address.text());
        const std::string_view whole = std::string_view(line).substr(0, plain.size - 2);
        const auto same = parse(find_command(whole), whole, {.extensions = announced, .address = address});
        require(line.substr(plain.size - 2, 2) == "\r\n" && whole.find('\n') == std::string_view::npos);
        require(same && same->verb == verb::rcpt && same->argument == plain.path && address.text() == normal);
    }

    const command_spec& spec = find_command(line);
    const auto parsed = parse(spec, line, {.extensions = announced, .address = address});
    if (!parsed) {
        require(text(parsed.error()).size() <= spec.longest_reply);
        require(text(parsed.error())[0] == '5');
        return 0;
    }
    require(spec.verb != verb::unknown && parsed->verb == spec.verb);
    require(!kinds.control && !kinds.high);
    const std::string_view argument = parsed->argument;
    if (!argument.empty()) {
        require(argument.data() >= line.data() && argument.data() + argument.size() <= line.data() + line.size());
    }
    switch (parsed->verb) {
        case verb::ehlo:
        case verb::helo:
            require(!argument.empty() && argument.size() <= longest_name);
            break;
        case verb::rcpt:
            require(!argument.empty() && argument.size() <= longest_path && !address.text().empty());
            break;
        case verb::mail:
            require(argument.size() <= longest_path);
            break;
        default:
            require(argument.empty());
            break;
    }
    return 0;
}
