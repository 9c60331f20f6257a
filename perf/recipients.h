// Whom the load generator asks for: listed addresses from files, strangers made up, and for hot swaps the addresses
// that stand in only one of two lists. Every recipient carries what is known of it, so that its reply can be checked.
//
// A recipient is a number and a standing; its text is made from them at any time (also for an error message, long
// after the command was sent), so nothing but 16 octets is kept per command in flight.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "perf/random.h"

namespace postern::perf {

enum class standing : std::uint8_t {
    valid,     ///< listed, in every list
    stranger,  ///< listed nowhere
    only_a,    ///< in list A alone (hot swaps)
    only_b,    ///< in list B alone
};

struct recipient {
    std::uint64_t number = 0;
    perf::standing standing = perf::standing::stranger;
};

/// Addresses of one file, one a line. Immutable.
class address_list {
public:
    static constexpr std::size_t file_limit = std::size_t{4} << 30U;
    static constexpr std::size_t address_limit = 1024;

    /// Blank lines and lines beginning with `#` are skipped. The error names file, line and remedy.
    static tl::expected<address_list, std::string> load(const std::string& path);
    static tl::expected<address_list, std::string> parse(std::string text, const std::string& name);

    std::size_t size() const noexcept { return _starts.empty() ? 0 : _starts.size() - 1; }
    std::string_view operator[](std::size_t i) const noexcept {
        return std::string_view(_text).substr(_starts[i], _starts[i + 1] - _starts[i]);
    }

private:
    std::string _text;  ///< the addresses without separators
    std::vector<std::size_t> _starts;
};

/// All that may be asked for, with the shares. Immutable, shared by the threads.
class recipient_pool {
public:
    address_list valid;
    address_list only_a;
    address_list only_b;
    std::vector<std::string> stranger_domains;
    double valid_share = 0;  ///< of all recipients
    double swap_share = 0;   ///< half of it for `only_a`, half for `only_b`

    /// That every share that is not 0 has addresses to draw from. The error says which option is missing.
    tl::expected<void, std::string> check() const;

    recipient draw(random_source& random) const noexcept;
    /// Appends the address to `out`.
    void append(const recipient& who, std::string& out) const;
    std::string text(const recipient& who) const {
        std::string out;
        append(who, out);
        return out;
    }
};

}  // namespace postern::perf
