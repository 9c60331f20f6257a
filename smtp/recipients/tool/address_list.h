// Lists of addresses as people keep them: text, one address a line.
//
//   alice@example.com
//   room1@example.com resource internal-only     a kind and flags may follow
//   # a comment; empty lines are skipped
//
// Kinds: user shared resource list alias unclassified. Flags: grace internal-only. An address that stands there again
// counts once; with another kind or flag it is a bad line.
#pragma once

#include <cstdint>
#include <functional>
#include <istream>
#include <string>
#include <string_view>
#include <vector>

#include "smtp/recipients/builder.h"

namespace postern::recipients::tool {

struct bad_line {
    std::uint64_t line = 0;  ///< from 1
    std::string reason;
};

/// Gives the stable id of the target domain that a normal-form name leads to, and that target's name; 0: not served.
struct served_domain {
    std::uint32_t id = 0;
    std::string_view name;
};
using domain_finder = std::function<served_domain(std::string_view name)>;

class address_list {
public:
    /// Reads to the end. Bad lines are left out and kept in `bad`.
    void read(std::istream& in, const domain_finder& find);

    /// In the order of their texts, each once.
    std::vector<listed_address> addresses() const;
    std::size_t size() const noexcept { return _items.size(); }
    std::uint64_t repeated() const noexcept { return _repeated; }
    const std::vector<bad_line>& bad() const noexcept { return _bad; }

private:
    struct item {
        std::uint64_t offset = 0;  ///< of the text in _texts
        std::uint64_t line = 0;
        std::uint32_t size = 0;
        std::uint32_t domain = 0;
        mailbox_kind kind = mailbox_kind::user;
        bool grace = false;
        bool internal_only = false;
    };
    void read_line(std::string_view line, std::uint64_t number, const domain_finder& find);
    void drop_repeated();
    std::string_view text_of(const item& of) const noexcept {
        return std::string_view(_texts).substr(of.offset, of.size);
    }

    std::string _texts;
    std::vector<item> _items;
    std::vector<bad_line> _bad;
    std::uint64_t _repeated = 0;
};

const char* word_of(mailbox_kind kind) noexcept;
const char* word_of(mode of) noexcept;
/// False if the word is none.
bool parse_mode(std::string_view word, mode& out) noexcept;

}  // namespace postern::recipients::tool
