// Cores: one for each shard, near the device, kept free of other work.
#include <algorithm>

#include "board/doctor/rules.h"
#include "board/machine/cpu_list.h"

namespace postern::doctor {
namespace {

const std::string key = "edge.toml: edge.cores";

bool among(const std::vector<unsigned>& cpus, unsigned cpu) {
    return std::find(cpus.begin(), cpus.end(), cpu) != cpus.end();
}

std::vector<unsigned> without(const std::vector<unsigned>& cpus, const std::vector<unsigned>& others) {
    std::vector<unsigned> out;
    std::copy_if(cpus.begin(), cpus.end(), std::back_inserter(out), [&](unsigned cpu) { return !among(others, cpu); });
    return out;
}

/// "CPU 1 is", "CPUs 2-3 are".
std::string cpus_are(const std::vector<unsigned>& cpus) {
    return cpus.size() == 1 ? "CPU " + std::to_string(cpus.front()) + " is"
                            : "CPUs " + machine::cpu_list_text(cpus) + " are";
}

std::vector<unsigned> online(const machine::machine& on) {
    std::vector<unsigned> out;
    for (const machine::cpu& each : on.cpus) {
        out.push_back(each.id);
    }
    return out;
}

void check_count(visit& of) {
    if (of.shards > of.on.cpus.size()) {
        of.add(severity::error, "shards",
               std::to_string(of.shards) + " shards on " + std::to_string(of.on.cpus.size()) +
                   " CPUs would take turns; write edge.shards = " +
                   std::to_string(std::max<std::size_t>(1, of.on.cpus.size() - 1)),
               "edge.toml: edge.shards");
    } else if (of.shards == of.on.cpus.size() && of.want.edge.busy) {
        of.add(severity::warning, "shards",
               "shards that never sleep take every CPU; relay threads and the kernel get none of their own",
               "edge.toml: edge.shards");
    }
}

void check_pinned(visit& of, const std::vector<unsigned>& cores) {
    const auto missing = without(cores, online(of.on));
    if (!missing.empty()) {
        of.add(severity::error, "cores", "this machine has no CPU " + machine::cpu_list_text(missing), key);
    }
    if (of.nic != nullptr && of.nic->node >= 0) {
        const auto far = without(without(cores, of.on.cpus_of(of.nic->node)), missing);
        if (!far.empty()) {
            of.add(severity::warning, "node",
                   "the device is on node " + std::to_string(of.nic->node) + ", and " + cpus_are(far) +
                       " not; every frame crosses between the nodes. Its node has CPUs " +
                       machine::cpu_list_text(of.on.cpus_of(of.nic->node)),
                   key);
        }
    }
    const auto shared = without(cores, of.on.isolated);
    if (!shared.empty() && of.device.pci) {
        const std::string list = machine::cpu_list_text(cores);
        of.add(of.want.edge.busy ? severity::warning : severity::note, "isolation",
               cpus_are(shared) + " the shards', and the kernel runs other work on them, too", "kernel command line",
               boot_command("isolcpus=" + list + " nohz_full=" + list + " rcu_nocbs=" + list));
    }
}

}  // namespace

void check_cores(visit& of) {
    check_count(of);
    const auto cores = machine::parse_cpu_list(of.want.edge.cores).value_or(std::vector<unsigned>());
    if (cores.empty()) {
        if (!of.on.isolated.empty()) {
            of.add(severity::warning, "cores",
                   cpus_are(of.on.isolated) + " isolated, and nothing runs there unless edge.cores names them", key);
        }
        return;
    }
    check_pinned(of, cores);
    if (of.on.irqbalance && of.device.pci) {
        of.add(severity::warning, "irqbalance", "irqbalance moves interrupts onto the shards' CPUs", "irqbalance",
               "systemctl stop irqbalance", "systemctl disable irqbalance");
    }
    for (const machine::cpu& each : of.on.cpus) {
        if (among(cores, each.id) && each.governor == "powersave") {
            of.add(severity::note, "governor",
                   "CPU " + std::to_string(each.id) + " saves power (cpufreq governor powersave)",
                   "/sys/devices/system/cpu/cpu" + std::to_string(each.id) + "/cpufreq/scaling_governor",
                   "echo performance | tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor");
            break;
        }
    }
}

}  // namespace postern::doctor
