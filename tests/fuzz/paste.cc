// Fuzz target: pasted addresses. The first octet's lowest bit says whether local parts are taken.
#include <cstdlib>
#include <string_view>

#include "control/sources/csv_text.h"
#include "control/sources/paste.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace postern::sources;
    if (size == 0) {
        return 0;
    }
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const auto got = read_paste(text, (data[0] & 1U) != 0);
    if (!got) {
        return 0;
    }
    for (const pasted& each : *got) {
        const bool placed = each.line >= 1 && each.column >= 1 && each.column <= text.size() + 1;
        const bool bounded =
            each.problem.empty() ? !each.text.empty() && each.text.size() <= longest_pasted : each.text.size() <= 200;
        if (!placed || !bounded || !is_utf8(each.first_name) || !is_utf8(each.last_name)) {
            std::abort();
        }
    }
    return 0;
}
