#include "board/machine/cpu_list.h"

#include <algorithm>

#include "board/machine/tree.h"

namespace postern::machine {
namespace {

constexpr std::int64_t most_cpus = 4096;

std::optional<unsigned> one(std::string_view text) {
    const auto value = text.starts_with("0x") ? std::nullopt : parse_number(text);
    return value && *value >= 0 && *value < most_cpus ? std::optional(static_cast<unsigned>(*value)) : std::nullopt;
}

}  // namespace

std::optional<std::vector<unsigned>> parse_cpu_list(std::string_view text) {
    std::vector<unsigned> out;
    for (const std::string_view part : pieces(text, ",\n")) {
        const std::size_t dash = part.find('-');
        const auto first = one(part.substr(0, dash));
        const auto last = dash == std::string_view::npos ? first : one(part.substr(dash + 1));
        if (!first || !last || *last < *first) {
            return std::nullopt;
        }
        for (unsigned cpu = *first; cpu <= *last; ++cpu) {
            out.push_back(cpu);
        }
        // Ranges may lie over one another; what is kept stays bounded.
        std::sort(out.begin(), out.end());
        out.erase(std::unique(out.begin(), out.end()), out.end());
    }
    return out;
}

std::string cpu_list_text(const std::vector<unsigned>& cpus) {
    std::string out;
    for (std::size_t i = 0; i < cpus.size(); ++i) {
        std::size_t last = i;
        while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) {
            ++last;
        }
        out += (out.empty() ? "" : ",") + std::to_string(cpus[i]);
        if (last != i) {
            out += '-' + std::to_string(cpus[last]);
        }
        i = last;
    }
    return out;
}

}  // namespace postern::machine
