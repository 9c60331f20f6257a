#include "control/api/upload_file.h"

#include <fcntl.h>
#include <stdlib.h>  // NOLINT: mkostemp
#include <unistd.h>

#include <cerrno>

namespace postern::api {

process::result<void> upload_file::open(const std::string& folder) {
    std::string path = folder + "/upload-XXXXXX";
    _file = process::descriptor(::mkostemp(path.data(), O_CLOEXEC));
    if (!_file) {
        return tl::unexpected(process::errno_text("create a file in", folder, errno));
    }
    _path = std::move(path);
    return {};
}

process::result<void> upload_file::write(std::string_view octets) {
    _digest.add(octets);
    while (!octets.empty()) {
        const ssize_t n = ::write(_file.get(), octets.data(), octets.size());
        if (n < 0 && errno != EINTR) {
            return tl::unexpected(process::errno_text("write", _path, errno));
        }
        octets.remove_prefix(n < 0 ? 0 : static_cast<std::size_t>(n));
    }
    return {};
}

void upload_file::finish(request& into) {
    _file = process::descriptor();
    into.upload = _path;
    into.upload_digest = _digest.finish();
}

upload_file::~upload_file() {
    if (!_path.empty()) {
        ::unlink(_path.c_str());
    }
}

}  // namespace postern::api
