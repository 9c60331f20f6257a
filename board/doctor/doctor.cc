#include "board/doctor/doctor.h"

#include <algorithm>

#include "board/doctor/rules.h"

namespace postern::doctor {

const char* word_of(severity of) noexcept {
    switch (of) {
        case severity::error:
            return "error";
        case severity::warning:
            return "warning";
        case severity::note:
            return "note";
    }
    return "note";
}

std::string boot_command(const std::string& words) {
    return "sed -i 's/^GRUB_CMDLINE_LINUX=\"/&" + words + " /' /etc/default/grub && update-grub && reboot";
}

std::vector<finding> examine(const machine::machine& on, const wishes& want) {
    visit all{on, want, profiles::parse_device(want.edge.device), nullptr, 0, 0, {}};
    if (!want.edge.dpdk) {
        all.add(severity::note, "sockets", "the transport is the kernel's sockets, which need nothing of all this",
                "edge.toml: edge.transport");
        return all.findings;
    }
    all.nic = on.nic_at(all.device.name);
    all.shards = profiles::shard_count(want.edge, on.cpus.size());
    all.memory_mib = profiles::memory_wanted(want.edge, all.shards);
    check_device(all);
    check_memory(all);
    check_cores(all);
    check_network(all);
    std::stable_sort(all.findings.begin(), all.findings.end(),
                     [](const finding& a, const finding& b) { return a.how < b.how; });
    return std::move(all.findings);
}

bool any_error(const std::vector<finding>& findings) {
    return std::any_of(findings.begin(), findings.end(),
                       [](const finding& each) { return each.how == severity::error; });
}

}  // namespace postern::doctor
