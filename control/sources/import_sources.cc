#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "board/process/files.h"
#include "control/sources/import.h"

namespace postern::sources {

byte_source from_memory(std::string_view content) {
    auto rest = std::make_shared<std::string_view>(content);
    return [rest](std::span<char> into) -> tl::expected<std::size_t, std::string> {
        const std::size_t n = std::min(into.size(), rest->size());
        std::memcpy(into.data(), rest->data(), n);
        rest->remove_prefix(n);
        return n;
    };
}

byte_source from_descriptor(int fd, std::string name) {
    return [fd, name = std::move(name)](std::span<char> into) -> tl::expected<std::size_t, std::string> {
        while (true) {
            const ssize_t n = ::read(fd, into.data(), into.size());
            if (n >= 0) {
                return static_cast<std::size_t>(n);
            }
            if (errno != EINTR) {
                return tl::unexpected(process::errno_text("read", name, errno));
            }
        }
    };
}

}  // namespace postern::sources
