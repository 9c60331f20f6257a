// The edge socket's command lines: whatever comes, no crash, file names that are names, messages that are UTF-8.
#include <unistr.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "dataplane/edge/command.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace postern::edge;
    const auto said = parse_command({reinterpret_cast<const char*>(data), size});
    if (!said) {
        const std::string& text = said.error();
        if (text.empty() || u8_check(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()) != nullptr) {
            std::abort();
        }
        return 0;
    }
    for (const std::string& name : {said->base, said->overlay}) {
        if (!name.empty() && !is_file_name(name)) {
            std::abort();
        }
    }
    if (said->number && *said->number == 0) {
        std::abort();
    }
    return 0;
}
