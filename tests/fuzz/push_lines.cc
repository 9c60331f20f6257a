// Any octets as a pushed list: nothing crashes, what is read in pieces of another size is the same, and what was read
// is read again as it is written.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "control/sources/push/lines.h"

namespace {

using namespace postern::sources::push;

struct outcome {
    std::string lines;
    std::uint64_t count = 0;
    std::string error;
    bool operator==(const outcome&) const = default;
};

outcome read(std::string_view content, std::size_t piece) {
    outcome out;
    const auto done = read_lines(
        [&](char* to, std::size_t most) -> tl::expected<std::size_t, std::string> {
            const std::size_t n = std::min({most, piece, content.size()});
            std::copy_n(content.begin(), n, to);
            content.remove_prefix(n);
            return n;
        },
        [&](line&& one) {
            out.lines += one.what == line::kind::gone ? gone_line(one.person.identity) : to_line(one.person);
            return true;
        });
    out.count = done.value_or(0);
    out.error = done ? "" : std::to_string(done.error().line) + done.error().text;
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view content(reinterpret_cast<const char*>(data), size);
    const outcome whole = read(content, 1U << 20U);
    if (whole != read(content, 7)) {
        std::abort();
    }
    const std::uint64_t lines = static_cast<std::uint64_t>(std::count(whole.lines.begin(), whole.lines.end(), '\n'));
    const outcome again = read(whole.lines + end_line(lines), 1U << 20U);
    if (!again.error.empty() || again.lines != whole.lines) {
        std::abort();
    }
    return 0;
}
