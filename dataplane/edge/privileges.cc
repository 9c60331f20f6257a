#include "dataplane/edge/privileges.h"

#include <grp.h>
#include <seccomp.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>

namespace postern::edge {
namespace {

using process::errno_text;
using process::result;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif
#else
constexpr bool sanitized = false;
#endif

constexpr int denied[] = {
    // other programs and other processes' memory
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(kcmp),
    // the tree of files and its name spaces
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(open_tree),
    SCMP_SYS(move_mount),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount),
    SCMP_SYS(fspick),
    SCMP_SYS(mount_setattr),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(mknod),
    SCMP_SYS(mknodat),
    // the kernel
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(syslog),
    SCMP_SYS(acct),
    SCMP_SYS(quotactl),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(keyctl),
    SCMP_SYS(personality),
    // the clock and the machine's names
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(adjtimex),
    SCMP_SYS(clock_adjtime),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
    // becoming somebody again
    SCMP_SYS(setuid),
    SCMP_SYS(setgid),
    SCMP_SYS(setreuid),
    SCMP_SYS(setregid),
    SCMP_SYS(setresuid),
    SCMP_SYS(setresgid),
    SCMP_SYS(setgroups),
    SCMP_SYS(capset),
};

result<void> drop_capabilities() {
    const std::unique_ptr<std::remove_pointer_t<cap_t>, int (*)(void*)> none(::cap_init(), &::cap_free);
    if (!none || ::cap_set_proc(none.get()) != 0) {
        return tl::unexpected(errno_text("drop", "the capabilities", errno));
    }
    return {};
}

}  // namespace

result<void> allow_open_files(std::uint64_t needed) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return tl::unexpected(errno_text("read", "the limit of open files", errno));
    }
    if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < needed) {
        rlimit wanted = limit;
        wanted.rlim_cur = needed;
        wanted.rlim_max = std::max<rlim_t>(limit.rlim_max, needed);
        if (::setrlimit(RLIMIT_NOFILE, &wanted) != 0) {
            return tl::unexpected("limits.connections needs " + std::to_string(needed) +
                                  " open files, but this process may have " + std::to_string(limit.rlim_max) +
                                  "; lower limits.connections, or raise the limit (LimitNOFILE= in the unit, ulimit "
                                  "-Hn in a shell)");
        }
    }
    return {};
}

result<void> drop_privileges(const std::optional<account>& becomes) {
    if (becomes) {
        if (::setgroups(becomes->groups.size(), becomes->groups.data()) != 0 ||
            ::setresgid(becomes->group, becomes->group, becomes->group) != 0 ||
            ::setresuid(becomes->user, becomes->user, becomes->user) != 0) {
            return tl::unexpected(errno_text("become the user", becomes->name, errno) + " (edge.user)");
        }
    }
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return tl::unexpected(errno_text("set", "no_new_privs", errno));
    }
    return drop_capabilities();
}

result<bool> forbid_dangerous_calls() {
    if constexpr (sanitized) {
        return false;
    }
    const std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter(::seccomp_init(SCMP_ACT_ALLOW), &::seccomp_release);
    if (!filter) {
        return tl::unexpected(std::string("cannot make a seccomp filter: out of memory"));
    }
    for (const int call : denied) {
        // A call that this architecture does not have needs no rule.
        const int outcome = call < 0 ? 0 : ::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), call, 0);
        if (outcome != 0) {
            return tl::unexpected(errno_text("forbid system call", std::to_string(call), -outcome));
        }
    }
    if (const int outcome = ::seccomp_load(filter.get()); outcome != 0) {
        return tl::unexpected(errno_text("load", "the seccomp filter", -outcome));
    }
    return true;
}

}  // namespace postern::edge
