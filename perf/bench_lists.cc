// Makes the table files that benchmarks and load tests swap between: one domain in enforce, all its mail to one server.
//
//   postern-bench-lists base OUT GENERATION DOMAIN MAIL_PORT < addresses    one a line, in normal form
//   postern-bench-lists overlay OUT GENERATION BASE ADDRESS…                adds the addresses to a base
#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "smtp/recipients/builder.h"

namespace {

using namespace postern::recipients;  // NOLINT(google-build-using-namespace): a program's own file

constexpr std::uint32_t domain_id = 1;
constexpr std::uint16_t connections = 20000;  ///< the limit must not be what is measured

template <class T>
T number(std::string_view text) {
    T value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

int tell(const tl::expected<build_report, std::string>& built) {
    if (!built) {
        std::fprintf(stderr, "postern-bench-lists: %s\n", built.error().c_str());
        return 1;
    }
    return 0;
}

std::string whole_input() {
    std::ios::sync_with_stdio(false);  // else each octet is a call
    std::string text;
    std::array<char, 1U << 16U> piece{};
    while (std::cin.read(piece.data(), piece.size()) || std::cin.gcount() != 0) {
        text.append(piece.data(), static_cast<std::size_t>(std::cin.gcount()));
    }
    return text;
}

int build_base_of_input(const std::string& path, std::span<char*> words) {
    domain_section section;
    domain_settings domain;
    domain.id = domain.target = domain_id;
    domain.name = words[1];
    domain.mode = mode::enforce;
    if (const auto port = number<std::uint16_t>(words[2]); port != 0) {
        domain.route = 1;
        route to;
        to.id = 1;
        to.confirmed = true;
        to.max_connections = connections;
        to.hosts.push_back({"127.0.0.1", port, 10});
        section.routes.push_back(to);
    }
    section.domains.push_back(domain);

    const std::string addresses = whole_input();
    return tell(build_base(path, number<std::uint64_t>(words[0]), section, [&](const auto& sink) {
        for (std::string_view rest = addresses; !rest.empty();) {
            const std::string_view address = rest.substr(0, rest.find('\n'));
            sink(listed_address{.text = address, .domain = domain_id});
            rest.remove_prefix(std::min(address.size() + 1, rest.size()));
        }
    }));
}

int build_overlay_of_words(const std::string& path, std::span<char*> words) {
    std::vector<listed_address> added;
    for (const char* const address : words.subspan(2)) {
        added.push_back({.text = address, .domain = domain_id});
    }
    return tell(build_overlay(path, number<std::uint64_t>(words[0]), words[1], nullptr, added, {}));
}

}  // namespace

int main(int argc, char** argv) {
    const std::span<char*> words(argv, static_cast<std::size_t>(argc));
    const std::string_view what = argc > 5 ? words[1] : "";
    if (what == "base") {
        return build_base_of_input(words[2], words.subspan(3));
    }
    if (what == "overlay") {
        return build_overlay_of_words(words[2], words.subspan(3));
    }
    std::fputs(
        "usage: postern-bench-lists base OUT GENERATION DOMAIN MAIL_PORT < addresses\n"
        "       postern-bench-lists overlay OUT GENERATION BASE ADDRESS...\n",
        stderr);
    return 2;
}
