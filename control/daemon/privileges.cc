#include "control/daemon/privileges.h"

#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace postern::daemon {

process::result<void> become(const std::string& user, const std::string& group,
                             std::initializer_list<std::string> folders) {
    const bool change = ::geteuid() == 0 && !user.empty();
    uid_t uid = ::geteuid();
    gid_t gid = ::getegid();
    if (change) {
        const passwd* const found = ::getpwnam(user.c_str());  // NOLINT(concurrency-mt-unsafe): one thread yet
        if (found == nullptr) {
            return tl::unexpected("there is no user \"" + user + "\"; make it, or set user = \"\"");
        }
        uid = found->pw_uid;
        gid = found->pw_gid;
        if (!group.empty()) {
            const struct group* const of = ::getgrnam(group.c_str());  // NOLINT(concurrency-mt-unsafe)
            if (of == nullptr) {
                return tl::unexpected("there is no group \"" + group + "\"; make it, or set group = \"\"");
            }
            gid = of->gr_gid;
        }
    }
    for (const std::string& folder : folders) {
        std::error_code error;
        const bool made = std::filesystem::create_directories(folder, error);
        if (error) {
            return tl::unexpected("cannot make the folder " + folder + ": " + error.message() +
                                  "; make it and give it to the user that postern-control runs as");
        }
        if (made && (::chmod(folder.c_str(), 0750) != 0 || (change && ::chown(folder.c_str(), uid, gid) != 0))) {
            return tl::unexpected(process::errno_text("give away the folder", folder, errno));
        }
    }
    if (change && (::setgroups(0, nullptr) != 0 || ::setgid(gid) != 0 || ::setuid(uid) != 0)) {
        return tl::unexpected(process::errno_text("become the user", user, errno));
    }
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return tl::unexpected(process::errno_text("set", "no_new_privs", errno));
    }
    return {};
}

}  // namespace postern::daemon
