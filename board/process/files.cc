#include "board/process/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

namespace postern::process {
namespace {

bool write_all(int fd, std::string_view content) {
    while (!content.empty()) {
        const ssize_t n = ::write(fd, content.data(), content.size());
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return false;
        }
        content.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

}  // namespace

descriptor& descriptor::operator=(descriptor&& other) noexcept {
    if (this != &other) {
        if (_fd >= 0) {
            ::close(_fd);
        }
        _fd = other.release();
    }
    return *this;
}

descriptor::~descriptor() {
    if (_fd >= 0) {
        ::close(_fd);
    }
}

int descriptor::release() noexcept {
    return std::exchange(_fd, -1);
}

std::string errno_text(std::string_view doing, std::string_view path, int error) {
    std::string text = "cannot ";
    text += doing;
    text += ' ';
    text += path;
    text += ": ";
    text += std::generic_category().message(error);
    return text;
}

result<std::string> read_file(const std::string& path, std::size_t limit) {
    const descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) {
        return tl::unexpected(errno_text("open", path, errno));
    }
    std::string content;
    std::array<char, 65536> block;  // NOLINT: filled by read
    while (true) {
        const ssize_t n = ::read(file.get(), block.data(), block.size());
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return tl::unexpected(errno_text("read", path, errno));
        }
        if (n == 0) {
            return content;
        }
        if (content.size() + static_cast<std::size_t>(n) > limit) {
            return tl::unexpected("cannot read " + path + ": it is larger than " + std::to_string(limit) + " octets");
        }
        content.append(block.data(), static_cast<std::size_t>(n));
    }
}

result<void> put_file_at(int folder_fd, const std::string& name, std::string_view content, mode_t mode) {
    const std::string temporary = "." + name + ".new";
    descriptor file(
        ::openat(folder_fd, temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode));
    if (!file) {
        return tl::unexpected(errno_text("create", temporary, errno));
    }
    if (::fchmod(file.get(), mode) != 0 || !write_all(file.get(), content) || ::fsync(file.get()) != 0) {
        const int error = errno;
        ::unlinkat(folder_fd, temporary.c_str(), 0);
        return tl::unexpected(errno_text("write", temporary, error));
    }
    if (::renameat(folder_fd, temporary.c_str(), folder_fd, name.c_str()) != 0) {
        const int error = errno;
        ::unlinkat(folder_fd, temporary.c_str(), 0);
        return tl::unexpected(errno_text("replace", name, error));
    }
    return {};
}

result<void> sync_folder(int folder_fd, const std::string& name) {
    if (::fsync(folder_fd) != 0) {
        return tl::unexpected(errno_text("sync the folder of", name, errno));
    }
    return {};
}

result<void> sync_file(const std::string& path) {
    const descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) {
        return tl::unexpected(errno_text("open", path, errno));
    }
    if (::fsync(file.get()) != 0) {
        return tl::unexpected(errno_text("sync", path, errno));
    }
    return {};
}

result<void> replace_file_at(int folder_fd, const std::string& name, std::string_view content, mode_t mode) {
    auto put = put_file_at(folder_fd, name, content, mode);
    return put ? sync_folder(folder_fd, name) : put;
}

result<void> replace_file(const std::string& path, std::string_view content, mode_t mode) {
    const std::filesystem::path whole(path);
    const std::string folder = whole.has_parent_path() ? whole.parent_path().string() : ".";
    const descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!opened) {
        return tl::unexpected(errno_text("open the folder", folder, errno));
    }
    return replace_file_at(opened.get(), whole.filename().string(), content, mode);
}

}  // namespace postern::process
