#include "perf/expectation.h"

#include <algorithm>

namespace postern::perf {

namespace {

constexpr std::array<std::string_view, expectations::kinds> names = {
    "greeting", "ehlo", "starttls", "mail", "valid", "stranger", "data", "data-refused", "message", "rset", "quit",
};

bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

bool begins_with(std::string_view reply, std::string_view prefix) noexcept {
    return reply.starts_with(prefix) && (reply.size() == prefix.size() || reply[prefix.size()] == ' ');
}

}  // namespace

expectations::expectations()
    : _prefixes{
          {{"220"}, {"250"}, {"220"}, {"250"}, {"250"}, {"550"}, {"354"}, {"554", "503"}, {"250"}, {"250"}, {"221"}}} {}

tl::expected<void, std::string> expectations::set(std::string_view rule) {
    const std::size_t sign = rule.find('=');
    const std::string_view name = rule.substr(0, sign);
    const auto found = std::find(names.begin(), names.end(), name);
    if (sign == std::string_view::npos || found == names.end()) {
        std::string known;
        for (const auto each : names) {
            known += known.empty() ? "" : ", ";
            known += each;
        }
        return tl::unexpected("--expect '" + std::string(rule) + "': NAME=PREFIX is expected, NAME one of " + known);
    }
    std::vector<std::string> prefixes;
    for (std::size_t at = sign + 1; at <= rule.size();) {
        const std::size_t end = std::min(rule.find('|', at), rule.size());
        const std::string_view prefix = rule.substr(at, end - at);
        if (prefix.size() < 3 || !std::all_of(prefix.begin(), prefix.begin() + 3, is_digit)) {
            return tl::unexpected("--expect '" + std::string(rule) + "': '" + std::string(prefix) +
                                  "' does not begin with a reply code of three digits");
        }
        prefixes.emplace_back(prefix);
        at = end + 1;
    }
    _prefixes.at(static_cast<std::size_t>(found - names.begin())) = std::move(prefixes);
    return {};
}

bool expectations::met(expected_reply what, std::string_view reply) const noexcept {
    const auto& prefixes = _prefixes[static_cast<std::size_t>(what)];
    return std::any_of(prefixes.begin(), prefixes.end(),
                       [&](const std::string& prefix) { return begins_with(reply, prefix); });
}

std::string expectations::text(expected_reply what) const {
    std::string out;
    for (const auto& prefix : _prefixes[static_cast<std::size_t>(what)]) {
        out += out.empty() ? "" : "|";
        out += prefix;
    }
    return out;
}

}  // namespace postern::perf
