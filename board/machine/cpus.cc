// CPUs, their nodes and what the scheduler keeps off them.
#include <algorithm>

#include "board/machine/cpu_list.h"
#include "board/machine/machine.h"

namespace postern::machine {
namespace {

const std::string folder = "sys/devices/system/cpu/";

std::vector<unsigned> list_in(const tree& from, const std::string& path) {
    const auto text = from.text(path);
    // A kernel without the feature writes "(null)".
    return text ? parse_cpu_list(*text).value_or(std::vector<unsigned>()) : std::vector<unsigned>();
}

/// "model name : X" of /proc/cpuinfo, and whether the flag "hypervisor" is there.
void read_cpuinfo(const tree& from, machine& out) {
    const std::string whole = from.text("proc/cpuinfo").value_or("");
    for (const std::string_view line : pieces(whole, "\n")) {
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos || colon + 2 > line.size()) {
            continue;
        }
        const std::string_view value = line.substr(colon + 2);
        if (line.starts_with("model name") && out.cpu_model.empty()) {
            out.cpu_model = value;
        } else if (line.starts_with("flags")) {
            const auto flags = pieces(value, " ");
            out.guest = std::find(flags.begin(), flags.end(), "hypervisor") != flags.end();
            return;
        }
    }
}

}  // namespace

void read_cpus(const tree& from, machine& out) {
    for (const unsigned id : list_in(from, folder + "online")) {
        const std::string at = folder + "cpu" + std::to_string(id) + "/";
        cpu each;
        each.id = id;
        each.package = static_cast<unsigned>(
            std::max<std::int64_t>(0, from.number(at + "topology/physical_package_id").value_or(0)));
        each.core = static_cast<unsigned>(std::max<std::int64_t>(0, from.number(at + "topology/core_id").value_or(id)));
        each.governor = from.text(at + "cpufreq/scaling_governor").value_or("");
        out.cpus.push_back(std::move(each));
    }
    out.isolated = list_in(from, folder + "isolated");
    out.nohz_full = list_in(from, folder + "nohz_full");
    read_cpuinfo(from, out);
}

}  // namespace postern::machine
