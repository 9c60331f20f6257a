// Any octets as a CSV file: read, given a layout, taken apart row by row. Nothing crashes, no row exceeds its bounds,
// and what is read in pieces of another size is the same.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "control/sources/csv_layout.h"
#include "control/sources/csv_reader.h"

namespace {

using namespace postern::sources;

byte_source in_pieces(std::string_view content, std::size_t piece) {
    return [content, piece](std::span<char> into) mutable -> tl::expected<std::size_t, std::string> {
        const std::size_t n = std::min({into.size(), content.size(), piece});
        std::copy_n(content.begin(), n, into.begin());
        content.remove_prefix(n);
        return n;
    };
}

struct read_row {
    std::uint64_t line;
    std::string problem;
    std::vector<std::string> fields;
    bool operator==(const read_row&) const = default;
};

void require(bool what) {
    if (!what) {
        std::abort();
    }
}

std::vector<read_row> read_all(std::string_view content, std::size_t piece) {
    std::vector<read_row> rows;
    auto reader = csv_reader::open(in_pieces(content, piece));
    if (!reader) {
        return rows;
    }
    csv_row row;
    std::vector<csv_row> first;
    while (true) {
        const auto got = reader->next(row);
        if (!got || !*got) {
            break;
        }
        require(row.size <= csv_reader::most_fields + 1 && row.size <= row.fields.size());
        rows.push_back(
            {row.line, row.problem, {row.fields.begin(), row.fields.begin() + static_cast<std::ptrdiff_t>(row.size)}});
        if (first.size() < 20 && !row.is_blank()) {
            first.push_back(row);
        }
    }
    if (!first.empty()) {
        if (const auto layout = guess_layout(first, std::nullopt)) {
            for (const csv_row& each : first) {
                const csv_entry entry = read_entry(each, *layout);
                require(!entry.address.text.empty() || !entry.problem.reason.empty());
            }
        }
    }
    return rows;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view content(reinterpret_cast<const char*>(data), size);
    require(read_all(content, 65'536) == read_all(content, 7));
    return 0;
}
