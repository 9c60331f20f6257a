// Addresses as people paste them: separated by new lines, commas, semicolons, blanks; `alice@example.com`,
// `<alice@example.com>`, `Alice Archer <alice@example.com>`, `"Archer, Alice" <alice@example.com>`, `mailto:…`; bare
// local parts where the domain is known. Pure: nothing is looked up.
//
// Display names are RFC 5322 3.4's in what people make of it: words before `<…>`, quoted or not.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace postern::sources {

constexpr std::size_t longest_paste = 4U << 20U;  ///< octets
constexpr std::size_t most_pasted = 50'000;       ///< addresses and what is none
constexpr std::size_t longest_pasted = 1'024;     ///< octets of one

struct pasted {
    std::uint32_t line = 0;    ///< from 1
    std::uint32_t column = 0;  ///< from 1, in octets: where it begins
    std::string text;          ///< as pasted, without `<>` and `mailto:`; cut to 200 octets if it is not usable
    std::string first_name;
    std::string last_name;
    std::string problem;  ///< not empty: it is no address, and why
};

/// Everything that stands in the text, in its order. `local_parts`: words without `@` are local parts, unless they
/// stand beside an address (then they are not, and have a problem). The error says which bound the text is over.
tl::expected<std::vector<pasted>, std::string> read_paste(std::string_view text, bool local_parts);

}  // namespace postern::sources
