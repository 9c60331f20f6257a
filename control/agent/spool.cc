#include "control/agent/spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "control/sources/push/lines.h"

namespace postern::agent {
namespace {

constexpr std::size_t flush_at = 256U << 10U;

}  // namespace

process::result<std::unique_ptr<spool>> spool::create(const std::string& path) {
    ::unlink(path.c_str());
    process::descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file) {
        return tl::unexpected(process::errno_text("make", path, errno));
    }
    return std::unique_ptr<spool>(new spool(path, std::move(file)));
}

spool::~spool() {
    ::unlink(_path.c_str());
}

bool spool::flush() {
    std::string_view octets = _part;
    while (!octets.empty()) {
        const ssize_t n = ::write(_file.get(), octets.data(), octets.size());
        if (n < 0 && errno != EINTR) {
            _error = process::errno_text("write", _path, errno);
            return false;
        }
        octets.remove_prefix(n < 0 ? 0 : static_cast<std::size_t>(n));
    }
    _part.clear();
    return true;
}

bool spool::add(const std::string& line) {
    _part += line;
    ++_lines;
    return _part.size() < flush_at || flush();
}

bool spool::entry(sources::directory_entry&& one) {
    return add(sources::push::to_line(one));
}

bool spool::gone(std::string_view identity) {
    return add(sources::push::gone_line(identity));
}

bool spool::restart_whole() {
    _part.clear();
    _lines = 0;
    _restarted = true;
    if (::ftruncate(_file.get(), 0) != 0 || ::lseek(_file.get(), 0, SEEK_SET) != 0) {
        _error = process::errno_text("truncate", _path, errno);
        return false;
    }
    return true;
}

process::result<void> spool::finish() {
    if (_error.empty()) {
        _part += sources::push::end_line(_lines);
        flush();
    }
    if (!_error.empty()) {
        return tl::unexpected(_error);
    }
    return {};
}

}  // namespace postern::agent
