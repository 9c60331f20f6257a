// The lines of a pushed list: JSON objects, one a line (application/x-ndjson), in the same words as the API's.
//
//   {"id": "3f2504e0-…", "address": "alice@example.com", "aliases": ["a@example.com"], "first_name": "Alice"}
//   {"id": "3f2504e0-…", "gone": true}         asserts nothing any more; in a whole list it takes back a line before it
//   {"end": 2}                                 the last line: how many came before it
//
// What ends without its end line was cut off, and is refused whole. Memory: one line. docs/push.md has the members.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "control/sources/fetch.h"

namespace postern::sources::push {

inline constexpr std::size_t longest_line = 1U << 20U;  ///< octets, without its end
inline constexpr std::size_t most_aliases = 10'000;
inline constexpr std::size_t longest_address = 1024;
inline constexpr std::size_t longest_id = 1024;
inline constexpr std::size_t longest_name = 1000;

struct line {
    enum class kind : std::uint8_t { person, gone, end };
    line::kind what = kind::person;
    directory_entry person;   ///< of `gone` its identity alone
    std::uint64_t count = 0;  ///< of `end`
};

/// A line without its end. An absent id is the address with ASCII folded. The error says which member is wrong.
tl::expected<line, std::string> parse_line(std::string_view text);

std::string to_line(const directory_entry& person);
std::string gone_line(std::string_view identity);
std::string end_line(std::uint64_t count);

struct read_error {
    std::uint64_t line = 0;  ///< from 1; 0: the list as such
    std::string text;
    bool stopped = false;  ///< by `each`
};
/// Puts the next octets into `to` and answers how many; 0: no more. An error ends the reading with its text.
using octet_source = std::function<tl::expected<std::size_t, std::string>(char* to, std::size_t most)>;

/// Every line but the end's, in order, until `each` answers false. The number of lines.
tl::expected<std::uint64_t, read_error> read_lines(const octet_source& from, const std::function<bool(line&&)>& each);
/// The same of a file.
tl::expected<std::uint64_t, read_error> read_file_lines(const std::string& path,
                                                        const std::function<bool(line&&)>& each);

}  // namespace postern::sources::push
