// Any octets as the record of an import: nothing crashes, and what was read is read again as it is written.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "control/api/import_record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto read = postern::api::parse_import_record({reinterpret_cast<const char*>(data), size});
    if (read) {
        const std::string text = to_text(*read);
        const auto again = postern::api::parse_import_record(text);
        if (!again || to_text(*again) != text) {
            std::abort();
        }
    }
    return 0;
}
