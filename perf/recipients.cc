#include "perf/recipients.h"

#include <algorithm>

#include "board/process/files.h"

namespace postern::perf {

namespace {

bool is_sendable(std::string_view address) noexcept {
    const auto forbidden = [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == ' ' || c == '<' || c == '>';
    };
    return address.find('@') != std::string_view::npos && std::none_of(address.begin(), address.end(), forbidden);
}

}  // namespace

tl::expected<address_list, std::string> address_list::load(const std::string& path) {
    auto text = process::read_file(path, file_limit);
    if (!text) {
        return tl::unexpected(std::move(text.error()));
    }
    return parse(std::move(*text), path);
}

tl::expected<address_list, std::string> address_list::parse(std::string text, const std::string& name) {
    address_list list;
    std::size_t kept = 0;
    std::size_t at = 0;
    for (std::size_t line = 1; at < text.size(); ++line) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        std::string_view address = std::string_view(text).substr(at, end - at);
        if (!address.empty() && address.back() == '\r') {
            address.remove_suffix(1);
        }
        if (!address.empty() && address.front() != '#') {
            if (address.size() > address_limit || !is_sendable(address)) {
                return tl::unexpected(name + ":" + std::to_string(line) + ": '" + std::string(address.substr(0, 100)) +
                                      "' is not an address (local@domain, no blanks, at most 1024 octets); correct or "
                                      "remove the line");
            }
            list._starts.push_back(kept);
            std::copy(address.begin(), address.end(), text.begin() + static_cast<std::ptrdiff_t>(kept));
            kept += address.size();
        }
        at = end + 1;
    }
    if (list._starts.empty()) {
        return tl::unexpected(name + ": holds no address; one a line is expected");
    }
    list._starts.push_back(kept);
    text.resize(kept);
    list._text = std::move(text);
    return list;
}

tl::expected<void, std::string> recipient_pool::check() const {
    constexpr double rounding = 1e-9;
    if (valid_share < 0 || swap_share < 0 || valid_share + swap_share > 1 + rounding) {
        return tl::unexpected(std::string("--valid-share and --swap-share must be 0 or more and together at most 1"));
    }
    if (valid_share > 0 && valid.size() == 0) {
        return tl::unexpected(std::string("--valid-share is over 0, but no --recipients FILE is given"));
    }
    if (swap_share > 0 && (only_a.size() == 0 || only_b.size() == 0)) {
        return tl::unexpected(std::string("--swap-share is over 0, but --only-a FILE and --only-b FILE are not given"));
    }
    if (valid_share + swap_share < 1 - rounding && stranger_domains.empty()) {
        return tl::unexpected(
            std::string("the shares leave room for strangers, but no --strangers DOMAIN is given; give it or "
                        "--valid-share 1"));
    }
    return {};
}

recipient recipient_pool::draw(random_source& random) const noexcept {
    const double point = random.unit();
    if (point < valid_share) {
        return {random.below(valid.size()), standing::valid};
    }
    if (point < valid_share + swap_share / 2) {
        return {random.below(only_a.size()), standing::only_a};
    }
    if (point < valid_share + swap_share) {
        return {random.below(only_b.size()), standing::only_b};
    }
    if (stranger_domains.empty()) {  // the shares add up to 1 but for rounding
        return valid.size() != 0 ? recipient{random.below(valid.size()), standing::valid}
                                 : recipient{random.below(only_a.size()), standing::only_a};
    }
    return {random.next(), standing::stranger};
}

void recipient_pool::append(const recipient& who, std::string& out) const {
    switch (who.standing) {
        case standing::valid:
            out += valid[who.number];
            return;
        case standing::only_a:
            out += only_a[who.number];
            return;
        case standing::only_b:
            out += only_b[who.number];
            return;
        case standing::stranger:
            break;
    }
    // 60 of the 64 bits become twelve characters: nobody's address by chance, and the text follows from the number.
    constexpr std::string_view alphabet = "abcdefghijkmnpqrstuvwxyz23456789";
    static_assert(alphabet.size() == 32);
    std::uint64_t rest = who.number;
    for (int i = 0; i < 12; ++i) {
        out += alphabet[rest % alphabet.size()];
        rest /= alphabet.size();
    }
    out += '@';
    out += stranger_domains[who.number % stranger_domains.size()];
}

}  // namespace postern::perf
