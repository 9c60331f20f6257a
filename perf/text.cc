#include "perf/text.h"

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstddef>
#include <cstdio>

namespace postern::perf {

void put(std::string& out, const char* format, ...) {
    std::array<char, 512> line{};
    va_list list;
    va_start(list, format);
    const int size = std::vsnprintf(line.data(), line.size(), format, list);
    va_end(list);
    out.append(line.data(), std::min<std::size_t>(static_cast<std::size_t>(std::max(size, 0)), line.size() - 1));
}

}  // namespace postern::perf
