#include "dataplane/port/environment.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <thread>

namespace postern::port {
namespace {

bool is_virtual(const std::string& device) {
    return device.starts_with("net_") || device.starts_with("virtio_user");
}

bool is_shared(const std::string& device) {
    return device.starts_with("virtio_user") || device.starts_with("net_virtio_user");
}

/// "0@(0-7)": one thread of DPDK's own, which may run anywhere. Shards register themselves.
std::string anywhere() {
    const unsigned cpus = std::max(1U, std::thread::hardware_concurrency());
    return cpus == 1 ? "0@0" : "0@(0-" + std::to_string(cpus - 1) + ")";
}

/// net_tap tells of frames by real-time signals to the process; they are for shards, which poll anyway, and would cut
/// short the system calls of other threads.
void real_time_signals(int how) {
    sigset_t set;
    ::sigemptyset(&set);
    for (int number = SIGRTMIN; number <= SIGRTMAX; ++number) {
        ::sigaddset(&set, number);
    }
    ::pthread_sigmask(how, &set, nullptr);
}

}  // namespace

std::size_t free_huge_mib() {
    std::ifstream in("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
    std::size_t pages = 0;
    return in >> pages ? pages * 2 : 0;
}

tl::expected<environment, std::string> start_environment(const environment_settings& settings) {
    environment out;
    // virtio_user gives its memory to another process, by files of huge pages.
    const bool shares = std::any_of(settings.devices.begin(), settings.devices.end(), is_shared);
    out.huge_pages = free_huge_mib() >= settings.memory_mib;
    if (shares && !out.huge_pages) {
        return tl::unexpected("virtio_user needs " + std::to_string(settings.memory_mib) +
                              " MiB of free huge pages and a hugetlbfs that is mounted: echo " +
                              std::to_string((settings.memory_mib + 1) / 2) +
                              " > /proc/sys/vm/nr_hugepages; mount -t hugetlbfs none /dev/hugepages");
    }
    const std::string prefix = "postern-" + std::to_string(::getpid());
    std::vector<std::string> words = {"postern",
                                      "--lcores=" + anywhere(),
                                      "-m",
                                      std::to_string(settings.memory_mib),
                                      "--log-level=lib.eal:4",
                                      "--file-prefix=" + prefix};
    // But for virtio_user, no files that other processes may map: so several can run on one machine, and none is left
    // over.
    if (shares) {
        words.insert(words.end(), {"--single-file-segments", "--huge-unlink"});
    } else if (out.huge_pages) {
        words.emplace_back("--in-memory");
    } else {
        words.insert(words.end(), {"--no-huge", "--no-shconf"});
    }
    if (!settings.telemetry) {
        words.emplace_back("--no-telemetry");
    }
    bool any_pci = false;
    for (const std::string& device : settings.devices) {
        any_pci |= !is_virtual(device);
        words.push_back((is_virtual(device) ? "--vdev=" : "--allow=") + device);
    }
    if (!any_pci) {
        words.emplace_back("--no-pci");
    }
    std::vector<char*> arguments;
    for (std::string& word : words) {
        arguments.push_back(word.data());
    }
    if (rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) < 0) {
        std::string why = "DPDK did not start: ";
        why += rte_strerror(rte_errno);
        why += rte_errno == EALREADY ? " (it starts once in a process)"
                                     : "; its lines above say which device or memory is at fault";
        return tl::unexpected(std::move(why));
    }
    if (settings.telemetry) {
        out.telemetry = std::string(rte_eal_get_runtime_dir()) + "/dpdk_telemetry.v2";
    }
    real_time_signals(SIG_BLOCK);
    return out;
}

registered_thread::registered_thread(signals drivers) {
    if (drivers == signals::open) {
        real_time_signals(SIG_UNBLOCK);
    }
    _ours = rte_lcore_id() == LCORE_ID_ANY && rte_thread_register() == 0;
}

registered_thread::~registered_thread() {
    if (_ours) {
        rte_thread_unregister();
    }
    real_time_signals(SIG_BLOCK);
}

}  // namespace postern::port
