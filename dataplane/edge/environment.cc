#include "dataplane/edge/environment.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace postern::edge {
namespace {

using process::descriptor;
using process::errno_text;
using process::result;

constexpr const char* lock_name = "lock";
constexpr const char* manifest_name = "manifest.json";
constexpr mode_t read_and_search = 5;
constexpr mode_t all = 7;

/// Whether the account may do what the three bits say with something of these facts (a folder given by descriptor: the
/// folders above it do not count). Root is nobody special: the edge has no capabilities once it runs.
bool may(const account& who, const struct stat& facts, mode_t bits) {
    if (facts.st_uid == who.user) {
        return ((facts.st_mode >> 6U) & bits) == bits;
    }
    const bool in_group =
        who.group == facts.st_gid || std::find(who.groups.begin(), who.groups.end(), facts.st_gid) != who.groups.end();
    return ((in_group ? facts.st_mode >> 3U : facts.st_mode) & bits) == bits;
}

result<descriptor> open_folder(const std::string& key, const std::string& path) {
    descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder) {
        const int error = errno;
        std::string what = errno_text("open the folder", path, error) + " (edge." + key + ")";
        what += error == ENOENT ? "; create it, or name another" : "; it must be a folder that the edge may read";
        return tl::unexpected(std::move(what));
    }
    return folder;
}

/// Whom the process will be; empty: an ordinary user already, and the system can be asked.
std::optional<account> future_self(const std::optional<account>& becomes) {
    if (becomes || ::geteuid() != 0) {
        return becomes;
    }
    return account{"root", 0, ::getegid(), {::getegid()}};
}

result<void> check_folder(const std::string& key, const descriptor& folder, const std::string& path,
                          const std::optional<account>& who, mode_t bits) {
    struct stat facts {};
    if (::fstat(folder.get(), &facts) != 0) {
        return tl::unexpected(errno_text("examine the folder", path, errno) + " (edge." + key + ")");
    }
    const int wanted = R_OK | X_OK | (bits == all ? W_OK : 0);
    if (who ? may(*who, facts, bits) : ::faccessat(folder.get(), ".", wanted, AT_EACCESS) == 0) {
        return {};
    }
    const std::string name = who ? "the user " + who->name : std::string("the user of this process");
    return tl::unexpected(name + " may not " + (bits == all ? "write into" : "read") + " the folder " + path +
                          " (edge." + key + "); change its owner, group or mode");
}

/// With an account to become, the folder is handed over at start, so its owner does not matter yet.
result<void> check_state(const descriptor& folder, const std::string& path, const std::optional<account>& becomes) {
    return becomes ? result<void>() : check_folder("state", folder, path, future_self(becomes), all);
}

result<void> check_tables(const descriptor& folder, const std::string& path, const std::optional<account>& becomes) {
    return check_folder("tables", folder, path, future_self(becomes), read_and_search);
}

result<sockaddr_un> socket_address(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return tl::unexpected("edge.socket = \"" + path + "\" has " + std::to_string(path.size()) +
                              " octets, but the path of a socket has at most " +
                              std::to_string(sizeof address.sun_path - 1) + "; name a shorter one");
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

/// Removes a socket that nobody listens to. An error: something is there that must not be removed.
result<void> clear_place(const std::string& path, const sockaddr_un& address) {
    struct stat facts {};
    if (::lstat(path.c_str(), &facts) != 0) {
        return {};  // free, or unreachable, which bind says better
    }
    if (!S_ISSOCK(facts.st_mode)) {
        return tl::unexpected(path + " (edge.socket) exists and is not a socket; remove it, or name another path");
    }
    const descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!probe) {
        return tl::unexpected(errno_text("open a socket for", path, errno));
    }
    const int connected = ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    if (connected == 0 || errno != ECONNREFUSED) {
        return tl::unexpected("another process listens on " + path + " (edge.socket); stop it, or name another path");
    }
    if (::unlink(path.c_str()) != 0) {
        return tl::unexpected(errno_text("remove the stale socket", path, errno));
    }
    return {};
}

}  // namespace

result<std::optional<account>> find_account(const std::string& user, const std::string& group) {
    if (user.empty() || ::geteuid() != 0) {
        return std::optional<account>();
    }
    errno = 0;
    const passwd* found = ::getpwnam(user.c_str());  // NOLINT(concurrency-mt-unsafe): one thread at start
    if (found == nullptr) {
        return tl::unexpected("there is no user \"" + user + "\" (edge.user)" +
                              (errno == 0 ? std::string() : ": " + std::string(std::strerror(errno))) +  // NOLINT
                              "; create it (adduser --system --group " + user + "), or name another");
    }
    account out;
    out.name = user;
    out.user = found->pw_uid;
    out.group = found->pw_gid;
    if (!group.empty()) {
        const ::group* named = ::getgrnam(group.c_str());  // NOLINT(concurrency-mt-unsafe): one thread at start
        if (named == nullptr) {
            return tl::unexpected("there is no group \"" + group + "\" (edge.group); create it, or name another");
        }
        out.group = named->gr_gid;
    }
    int count = 64;
    out.groups.resize(static_cast<std::size_t>(count));
    while (::getgrouplist(user.c_str(), out.group, out.groups.data(), &count) < 0) {
        out.groups.resize(std::max(static_cast<std::size_t>(count), out.groups.size() * 2));
        count = static_cast<int>(out.groups.size());
    }
    out.groups.resize(static_cast<std::size_t>(count));
    return std::optional(std::move(out));
}

std::vector<std::string> check_environment(const configuration& settings) {
    std::vector<std::string> problems;
    const auto note = [&](const auto& outcome) {
        if (!outcome) {
            problems.push_back(outcome.error());
        }
        return outcome.has_value();
    };
    std::optional<account> who;
    if (auto found = find_account(settings.user, settings.group); note(found)) {
        who = std::move(*found);
    }
    if (const auto state = open_folder("state", settings.state); note(state)) {
        note(check_state(*state, settings.state, who));
    }
    if (const auto tables = open_folder("tables", settings.tables); note(tables)) {
        note(check_tables(*tables, settings.tables, who));
    }
    note(socket_address(settings.socket));
    const std::string folder = std::filesystem::path(settings.socket).parent_path().string();
    if (::access(folder.c_str(), W_OK | X_OK) != 0) {
        const int error = errno;
        problems.push_back(errno_text("create a socket in", folder, error) + " (edge.socket); " +
                           (error == ENOENT ? "create the folder, or name another" : "it must be writable"));
    }
    return problems;
}

result<environment> open_environment(const configuration& settings) {
    environment out;
    auto who = find_account(settings.user, settings.group);
    if (!who) {
        return tl::unexpected(std::move(who.error()));
    }
    out.runs_as = std::move(*who);
    auto state = open_folder("state", settings.state);
    if (!state) {
        return tl::unexpected(std::move(state.error()));
    }
    out.state = std::move(*state);
    auto tables = open_folder("tables", settings.tables);
    if (!tables) {
        return tl::unexpected(std::move(tables.error()));
    }
    out.tables = std::move(*tables);
    if (auto good = check_state(out.state, settings.state, out.runs_as); !good) {
        return tl::unexpected(std::move(good.error()));
    }
    if (auto good = check_tables(out.tables, settings.tables, out.runs_as); !good) {
        return tl::unexpected(std::move(good.error()));
    }
    out.lock = descriptor(::openat(out.state.get(), lock_name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
    if (!out.lock) {
        return tl::unexpected(errno_text("open", settings.state + "/" + lock_name, errno));
    }
    if (::flock(out.lock.get(), LOCK_EX | LOCK_NB) != 0) {
        return tl::unexpected(errno == EWOULDBLOCK ? "another postern-edge runs with the folder " + settings.state +
                                                         " (edge.state); stop it, or name another folder"
                                                   : errno_text("lock", settings.state + "/" + lock_name, errno));
    }
    return out;
}

result<void> hand_over_state(const environment& opened) {
    if (!opened.runs_as) {
        return {};
    }
    const account& who = *opened.runs_as;
    if (::fchown(opened.state.get(), who.user, who.group) != 0) {
        return tl::unexpected(errno_text("give the state folder to", who.name, errno));
    }
    for (const char* name : {lock_name, manifest_name}) {
        if (::fchownat(opened.state.get(), name, who.user, who.group, AT_SYMLINK_NOFOLLOW) != 0 && errno != ENOENT) {
            return tl::unexpected(errno_text("give to " + who.name, name, errno));
        }
    }
    return {};
}

result<descriptor> create_edge_socket(const std::string& path, const std::optional<account>& owner) {
    const auto address = socket_address(path);
    if (!address) {
        return tl::unexpected(address.error());
    }
    if (auto cleared = clear_place(path, *address); !cleared) {
        return tl::unexpected(std::move(cleared.error()));
    }
    descriptor made(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!made) {
        return tl::unexpected(errno_text("open a socket for", path, errno));
    }
    // The mode is right from the first moment: nobody else can connect before a chmod.
    const mode_t before = ::umask(0117);
    const int bound = ::bind(made.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address);
    const int error = errno;
    ::umask(before);
    if (bound != 0) {
        return tl::unexpected(errno_text("create the edge socket", path, error) + " (edge.socket); " +
                              (error == ENOENT ? "create the folder, or name another" : "it must be writable"));
    }
    if (owner && ::lchown(path.c_str(), owner->user, owner->group) != 0) {
        return tl::unexpected(errno_text("give to " + owner->name, path, errno));
    }
    if (::listen(made.get(), 64) != 0) {
        return tl::unexpected(errno_text("listen on", path, errno));
    }
    return made;
}

}  // namespace postern::edge
