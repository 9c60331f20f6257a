// A CSV file as rows, streamed: encoding, delimiter and line ends are found from its first 64 KiB, then rows are pulled
// one by one in bounded memory. RFC 4180, with `;`, tab and LF or CR line ends too; a quote within an unquoted field is
// itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/sources/csv_text.h"
#include "control/sources/import.h"

namespace postern::sources {

struct csv_dialect {
    encoding_guess text;
    char delimiter = ',';
    std::string line_ends = "LF";
};

/// `text` is UTF-8; `comma` wins where nothing tells.
char guess_delimiter(std::string_view text);

struct csv_row {
    std::uint64_t line = 0;           ///< where it begins, from 1
    std::vector<std::string> fields;  ///< the first `size` count; the rest is memory kept for later rows
    std::size_t size = 0;
    std::string problem;  ///< not empty: the row can't be read (too long, a quote that is never closed), and why
    bool is_blank() const noexcept { return problem.empty() && (size == 0 || (size == 1 && fields[0].empty())); }
};

class csv_reader {
public:
    static constexpr std::size_t longest_row = 65'536;  ///< octets of UTF-8
    static constexpr std::size_t most_fields = 1'000;
    static constexpr unsigned most_broken_rows = 1'000;  ///< a file with more of them is not CSV

    /// Reads the beginning. The error is the source's.
    static tl::expected<csv_reader, std::string> open(const byte_source& from);

    const csv_dialect& dialect() const noexcept { return _dialect; }
    /// The next row; false at the end. The error is the source's, or says that this is no CSV.
    tl::expected<bool, std::string> next(csv_row& row);
    std::uint64_t octets_read() const noexcept { return _octets; }

private:
    explicit csv_reader(const byte_source& from) : _from(from), _decoder(encoding::utf8) {}
    tl::expected<void, std::string> fill();
    tl::expected<std::size_t, std::string> read(std::vector<char>& into);
    enum class scan : std::uint8_t { whole, needs_more, broken };
    scan scan_row(csv_row& row);
    void skip_line(csv_row& row, std::string why);
    void take_field(csv_row& row, std::string_view piece) const;

    byte_source _from;
    csv_dialect _dialect;
    text_decoder _decoder;
    std::string _text;  ///< decoded, from `_at` on not used yet
    std::size_t _at = 0;
    std::uint64_t _line = 1;
    std::uint64_t _octets = 0;
    unsigned _broken = 0;
    bool _ended = false;
    std::vector<char> _block;
};

}  // namespace postern::sources
