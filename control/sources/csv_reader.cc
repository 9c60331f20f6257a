#include "control/sources/csv_reader.h"

#include <algorithm>
#include <array>
#include <utility>

namespace postern::sources {
namespace {

constexpr std::size_t block_octets = 65'536;

std::string guess_line_ends(std::string_view text) {
    const std::size_t at = text.find_first_of("\r\n");
    if (at == std::string_view::npos || text[at] == '\n') {
        return "LF";
    }
    return at + 1 < text.size() && text[at + 1] == '\n' ? "CRLF" : "CR";
}

}  // namespace

char guess_delimiter(std::string_view text) {
    // The delimiter that stands in the first lines equally often, and most often; quoted parts do not count.
    constexpr std::array candidates{',', ';', '\t'};
    std::array<std::array<unsigned, 3>, 10> counts{};
    std::size_t line = 0;
    bool quoted = false;
    bool any = false;
    for (std::size_t i = 0; i < text.size() && line < counts.size(); ++i) {
        const char c = text[i];
        if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && (c == '\n' || c == '\r')) {
            line += any ? 1U : 0U;
            any = false;
        } else {
            any = true;
            for (std::size_t which = 0; which < candidates.size() && !quoted; ++which) {
                counts.at(line).at(which) += c == candidates.at(which) ? 1U : 0U;
            }
        }
    }
    const std::size_t lines = std::min(line + (any ? 1U : 0U), counts.size());
    char best = ',';
    unsigned best_score = 0;
    for (std::size_t which = 0; which < candidates.size(); ++which) {
        unsigned total = 0;
        bool even = lines > 0;
        for (std::size_t i = 0; i < lines; ++i) {
            total += counts.at(i).at(which);
            even = even && counts.at(i).at(which) == counts.at(0).at(which);
        }
        const unsigned score = total == 0 ? 0 : total + (even ? 1'000'000U : 0U);
        if (score > best_score) {
            best = candidates.at(which);
            best_score = score;
        }
    }
    return best;
}

tl::expected<csv_reader, std::string> csv_reader::open(const byte_source& from) {
    csv_reader out(from);
    out._block.resize(block_octets);
    std::string raw;
    while (raw.size() < block_octets) {
        const auto n = out.read(out._block);
        if (!n) {
            return tl::unexpected(n.error());
        }
        if (*n == 0) {
            out._ended = true;
            break;
        }
        raw.append(out._block.data(), *n);
    }
    out._dialect.text = guess_encoding(raw, out._ended);
    out._decoder = text_decoder(out._dialect.text.encoding);
    out._decoder.decode(std::string_view(raw).substr(out._dialect.text.bom_octets), out._text);
    if (out._ended) {
        out._decoder.finish(out._text);
    }
    out._dialect.delimiter = guess_delimiter(out._text);
    out._dialect.line_ends = guess_line_ends(out._text);
    return out;
}

tl::expected<std::size_t, std::string> csv_reader::read(std::vector<char>& into) {
    auto n = _from(into);
    if (n) {
        _octets += *n;
    }
    return n;
}

/// Drops what is used and takes the next piece of the file.
tl::expected<void, std::string> csv_reader::fill() {
    _text.erase(0, _at);
    _at = 0;
    const auto n = read(_block);
    if (!n) {
        return tl::unexpected(n.error());
    }
    if (*n == 0) {
        _ended = true;
        _decoder.finish(_text);
    } else {
        _decoder.decode(std::string_view(_block.data(), *n), _text);
    }
    return {};
}

void csv_reader::take_field(csv_row& row, std::string_view piece) const {
    if (row.size == row.fields.size()) {
        row.fields.emplace_back();
    }
    std::string& field = row.fields[row.size++];
    if (_dialect.text.undecided && !is_utf8(piece)) {
        field = from_windows1252(piece);
    } else {
        field.assign(piece);
    }
}

/// Takes the rest of the line as a row that can't be read.
void csv_reader::skip_line(csv_row& row, std::string why) {
    row.size = 0;
    row.problem = std::move(why);
    const std::size_t end = _text.find('\n', _at);
    _at = end == std::string::npos ? _text.size() : end + 1;
    ++_line;
    ++_broken;
}

csv_reader::scan csv_reader::scan_row(csv_row& row) {
    row.size = 0;
    row.problem.clear();
    row.line = _line;
    std::string unquoted;
    std::size_t at = _at;
    std::uint64_t line = _line;
    bool end_of_row = false;
    while (!end_of_row) {
        unquoted.clear();
        bool quoted = at < _text.size() && _text[at] == '"';
        const bool was_quoted = quoted;
        at += quoted ? 1U : 0U;
        std::size_t start = at;
        while (true) {
            if (at - _at > longest_row) {
                return scan::broken;
            }
            if (at >= _text.size()) {
                if (!_ended) {
                    return scan::needs_more;
                }
                if (quoted) {
                    return scan::broken;
                }
                end_of_row = true;
                break;
            }
            const char c = _text[at];
            if (quoted) {
                line += c == '\n' ? 1U : 0U;
                if (c == '"') {
                    if (at + 1 >= _text.size() && !_ended) {
                        return scan::needs_more;
                    }
                    unquoted.append(_text, start, at - start);
                    const bool doubled = at + 1 < _text.size() && _text[at + 1] == '"';
                    if (doubled) {
                        unquoted += '"';
                        ++at;
                    }
                    quoted = doubled;
                    start = at + 1;
                }
                ++at;
                continue;
            }
            if (c == _dialect.delimiter || c == '\n' || c == '\r') {
                break;
            }
            ++at;
        }
        const std::string_view rest = std::string_view(_text).substr(start, at - start);
        if (was_quoted) {
            unquoted += rest;
            take_field(row, unquoted);
        } else {
            take_field(row, rest);
        }
        if (row.size > most_fields) {
            return scan::broken;
        }
        if (end_of_row || at >= _text.size()) {
            break;
        }
        if (_text[at] == _dialect.delimiter) {
            ++at;
            continue;
        }
        if (_text[at] == '\r') {
            if (at + 1 >= _text.size() && !_ended) {
                return scan::needs_more;
            }
            at += at + 1 < _text.size() && _text[at + 1] == '\n' ? 1U : 0U;
        }
        ++at;
        ++line;
        end_of_row = true;
    }
    _at = at;
    _line = line;
    return scan::whole;
}

tl::expected<bool, std::string> csv_reader::next(csv_row& row) {
    while (true) {
        if (_at >= _text.size() && _ended) {
            return false;
        }
        switch (scan_row(row)) {
            case scan::whole:
                return true;
            case scan::needs_more:
                if (auto filled = fill(); !filled) {
                    return tl::unexpected(filled.error());
                }
                break;
            case scan::broken:
                if (_broken >= most_broken_rows) {
                    return tl::unexpected("more than " + std::to_string(most_broken_rows) +
                                          " rows can't be read, the last in line " + std::to_string(_line) +
                                          ": is this a CSV file?");
                }
                skip_line(row, row.size > most_fields
                                   ? "the row has more than " + std::to_string(most_fields) + " fields"
                                   : "a quote is not closed, or the row is longer than " + std::to_string(longest_row) +
                                         " octets; close the quote or split the row");
                return true;
        }
    }
}

}  // namespace postern::sources
