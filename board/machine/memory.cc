// Memory and huge pages, by node.
#include <algorithm>

#include "board/machine/cpu_list.h"
#include "board/machine/machine.h"

namespace postern::machine {
namespace {

constexpr std::uint64_t kib_of_mib = 1024;

/// "Key:   123 kB", or "Node 0 Key:   123 kB", in MiB.
std::uint64_t mib_of(const std::string& text, std::string_view key) {
    for (const std::string_view line : pieces(text, "\n")) {
        const auto words = pieces(line, " \t:");
        const auto at = std::find(words.begin(), words.end(), key);
        if (at != words.end() && at + 1 != words.end()) {
            return static_cast<std::uint64_t>(std::max<std::int64_t>(0, parse_number(*(at + 1)).value_or(0))) /
                   kib_of_mib;
        }
    }
    return 0;
}

/// The folders hugepages-2048kB and so on below `path`.
std::vector<huge_pages> pages_in(const tree& from, const std::string& path) {
    std::vector<huge_pages> out;
    for (const std::string& name : from.names(path)) {
        const auto parts = pieces(name, "-k");
        const auto kib = parts.size() == 3 && parts[0] == "hugepages" ? parse_number(parts[1]) : std::nullopt;
        if (!kib || *kib <= 0) {
            continue;
        }
        std::string folder = path;
        folder += '/';
        folder += name;
        folder += '/';
        const auto count = [&](const char* file) {
            return static_cast<std::uint64_t>(std::max<std::int64_t>(0, from.number(folder + file).value_or(0)));
        };
        out.push_back({static_cast<std::uint64_t>(*kib), count("nr_hugepages"), count("free_hugepages")});
    }
    std::sort(out.begin(), out.end(), [](const huge_pages& a, const huge_pages& b) { return a.kib < b.kib; });
    return out;
}

void read_nodes(const tree& from, machine& out) {
    const std::string nodes = "sys/devices/system/node/";
    for (const unsigned id :
         parse_cpu_list(from.text(nodes + "online").value_or("")).value_or(std::vector<unsigned>())) {
        const std::string at = nodes + "node" + std::to_string(id) + "/";
        node each;
        each.id = static_cast<int>(id);
        each.cpus = parse_cpu_list(from.text(at + "cpulist").value_or("")).value_or(std::vector<unsigned>());
        each.memory_mib = mib_of(from.text(at + "meminfo").value_or(""), "MemTotal");
        each.pages = pages_in(from, at + "hugepages");
        for (cpu& of : out.cpus) {
            if (std::find(each.cpus.begin(), each.cpus.end(), of.id) != each.cpus.end()) {
                of.node = each.id;
            }
        }
        out.nodes.push_back(std::move(each));
    }
    if (out.nodes.empty()) {
        // A kernel without NUMA: one node that holds all.
        node only;
        for (const cpu& each : out.cpus) {
            only.cpus.push_back(each.id);
        }
        only.memory_mib = out.memory_mib;
        only.pages = pages_in(from, "sys/kernel/mm/hugepages");
        out.nodes.push_back(std::move(only));
    }
}

/// "always [madvise] never": the word in brackets.
std::string chosen_in(const std::string& text) {
    const std::size_t open = text.find('[');
    const std::size_t close = text.find(']');
    return open < close && close != std::string::npos ? text.substr(open + 1, close - open - 1) : "";
}

}  // namespace

void read_memory(const tree& from, machine& out) {
    const std::string memory = from.text("proc/meminfo").value_or("");
    out.memory_mib = mib_of(memory, "MemTotal");
    out.available_mib = mib_of(memory, "MemAvailable");
    read_nodes(from, out);
    out.transparent_huge_pages = chosen_in(from.text("sys/kernel/mm/transparent_hugepage/enabled").value_or(""));
    const std::string mounts = from.text("proc/mounts").value_or("");
    for (const std::string_view line : pieces(mounts, "\n")) {
        const auto words = pieces(line, " ");
        if (words.size() > 2 && words[2] == "hugetlbfs") {
            out.hugetlbfs_mounts.emplace_back(words[1]);
        }
    }
}

}  // namespace postern::machine
