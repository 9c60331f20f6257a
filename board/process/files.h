// Files as Postern needs them: read whole with a bound, replaced atomically, and errors that name the file and the
// remedy.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace postern::process {

template <class T>
using result = tl::expected<T, std::string>;  ///< the error is a sentence for people

/// Owns a file descriptor.
class descriptor {
public:
    descriptor() = default;
    explicit descriptor(int fd) noexcept : _fd(fd) {}
    descriptor(descriptor&& other) noexcept : _fd(other.release()) {}
    descriptor& operator=(descriptor&& other) noexcept;
    descriptor(const descriptor&) = delete;
    descriptor& operator=(const descriptor&) = delete;
    ~descriptor();
    int get() const noexcept { return _fd; }
    int release() noexcept;
    explicit operator bool() const noexcept { return _fd >= 0; }

private:
    int _fd = -1;
};

/// "cannot open /etc/x: Permission denied" from errno.
std::string errno_text(std::string_view doing, std::string_view path, int error);

/// The whole file, at most `limit` octets.
result<std::string> read_file(const std::string& path, std::size_t limit);

/// Writes a temporary beside `name` in the folder `folder_fd`, fsyncs it, renames it over `name`, fsyncs the folder.
/// After a crash the file is the old or the new one, whole.
result<void> replace_file_at(int folder_fd, const std::string& name, std::string_view content, mode_t mode);
/// The same without the last step: whoever opens the file has the new one, but after a power cut it may be the old one
/// until `sync_folder`.
result<void> put_file_at(int folder_fd, const std::string& name, std::string_view content, mode_t mode);
/// Makes the folder's names durable. `name` is for the error text.
result<void> sync_folder(int folder_fd, const std::string& name);
/// Makes what was written to the file durable, by whomever.
result<void> sync_file(const std::string& path);
/// As `replace_file_at`, by path.
result<void> replace_file(const std::string& path, std::string_view content, mode_t mode);

}  // namespace postern::process
