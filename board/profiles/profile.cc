#include "board/profiles/profile.h"

#include <algorithm>
#include <filesystem>

#include "board/machine/cpu_list.h"
#include "board/machine/describe.h"
#include "board/process/files.h"
#include "board/process/settings.h"
#include "board/profiles/device_name.h"

namespace postern::profiles {
namespace {

constexpr std::size_t longest_file = 1 << 16;

bool fits(const profile& of, const machine::pci_nic& nic) {
    return std::find(of.ids.begin(), of.ids.end(), machine::id_text(nic)) != of.ids.end();
}

bool carries_default_route(const machine::pci_nic& nic, const machine::machine& on) {
    return std::any_of(nic.interfaces.begin(), nic.interfaces.end(), [&](const std::string& name) {
        const auto* const above = on.interface_named(name);
        return above != nullptr && above->default_route;
    });
}

/// How many queues the device has, as far as the kernel's driver tells.
std::size_t queues_of(const machine::pci_nic* nic, const machine::machine& on) {
    constexpr std::size_t not_told = 256;
    const auto* const above =
        nic == nullptr || nic->interfaces.empty() ? nullptr : on.interface_named(nic->interfaces[0]);
    return above == nullptr || above->queues == 0 ? not_told : above->queues;
}

/// CPUs for `count` shards: of the device's node first, isolated ones first, the kernel's first CPUs last.
std::vector<unsigned> choose_cpus(const machine::machine& on, int node, std::uint32_t count) {
    std::vector<machine::cpu> ranked = on.cpus;
    const auto isolated = [&](const machine::cpu& each) {
        return std::find(on.isolated.begin(), on.isolated.end(), each.id) != on.isolated.end();
    };
    const auto second_thread = [&](const machine::cpu& each) {
        return std::any_of(on.cpus.begin(), on.cpus.end(), [&](const machine::cpu& other) {
            return other.package == each.package && other.core == each.core && other.id < each.id;
        });
    };
    std::stable_sort(ranked.begin(), ranked.end(), [&](const machine::cpu& a, const machine::cpu& b) {
        const auto rank = [&](const machine::cpu& of) {
            return std::tuple(node >= 0 && of.node != node, !isolated(of), second_thread(of));
        };
        return std::tuple(rank(a), b.id) < std::tuple(rank(b), a.id);
    });
    std::vector<unsigned> out;
    for (std::size_t i = 0; i < ranked.size() && i < count; ++i) {
        out.push_back(ranked[i].id);
    }
    std::sort(out.begin(), out.end());
    return out;
}

}  // namespace

tl::expected<profile, std::vector<std::string>> parse_profile(std::string_view text, const std::string& file_name,
                                                              const std::string& name) {
    profile out;
    out.name = name;
    process::settings_file file(text, file_name);
    if (file.parsed()) {
        auto root = file.root();
        root.text("about", out.about);
        auto device = root.table("device");
        device.texts("ids", out.ids);
        device.texts("drivers", out.drivers);
        device.text("name", out.device);
        device.text("mac", out.mac);
        if (out.device.empty() == out.ids.empty()) {
            device.error("", "it needs either ids, for PCI devices, or the name of a virtual device");
        }
        auto queues = root.table("queues");
        queues.number<std::uint32_t>("most", out.most_queues, 1, 256);
        queues.number<std::uint32_t>("descriptors", out.descriptors, 64, 8192);
        auto cores = root.table("cores");
        cores.number<std::uint32_t>("reserved", out.reserved, 0, 64);
        cores.boolean("pinned", out.pinned);
        std::size_t idle = 0;
        cores.choice("idle", idle, {"sleep", "busy"});
        out.busy = idle == 1;
        auto memory = root.table("memory");
        memory.number<std::uint32_t>("base_mib", out.base_mib, 32, 65'536);
        memory.number<std::uint32_t>("queue_mib", out.queue_mib, 0, 4096);
        root.table("offloads").boolean("checksums", out.checksums);
    }
    std::vector<std::string> errors = file.finish();
    if (!errors.empty()) {
        return tl::unexpected(std::move(errors));
    }
    return out;
}

tl::expected<std::vector<profile>, std::vector<std::string>> read_profiles(const std::string& folder) {
    namespace fs = std::filesystem;
    std::error_code problem;
    std::vector<fs::path> files;
    for (fs::directory_iterator at(folder, problem), end; !problem && at != end; at.increment(problem)) {
        if (at->path().extension() == ".toml") {
            files.push_back(at->path());
        }
    }
    if (problem) {
        return tl::unexpected(std::vector<std::string>{"cannot read the folder of profiles " + folder + ": " +
                                                       problem.message() + "; name another with --profiles"});
    }
    std::sort(files.begin(), files.end());
    std::vector<profile> out;
    for (const fs::path& file : files) {
        const auto text = process::read_file(file.string(), longest_file);
        if (!text) {
            return tl::unexpected(std::vector<std::string>{text.error()});
        }
        auto parsed = parse_profile(*text, file.string(), file.stem().string());
        if (!parsed) {
            return tl::unexpected(std::move(parsed.error()));
        }
        out.push_back(std::move(*parsed));
    }
    return out;
}

std::vector<std::string> devices_for(const profile& of, const machine::machine& on) {
    std::vector<std::string> out;
    if (of.is_virtual()) {
        const device_name device = parse_device(of.device);
        if (device.pmd != "tap" || on.has.tun != machine::presence::absent) {
            out.push_back(of.device);
        }
        return out;
    }
    for (const bool last_choice : {false, true}) {
        for (const machine::pci_nic& nic : on.nics) {
            if (fits(of, nic) && carries_default_route(nic, on) == last_choice) {
                out.push_back(nic.bus);
            }
        }
    }
    return out;
}

tl::expected<edge_part, std::string> plan_for(const profile& of, const machine::machine& on,
                                              const std::string& device) {
    edge_part out;
    out.dpdk = true;
    out.device = device;
    if (out.device.empty()) {
        const auto fitting = devices_for(of, on);
        if (fitting.empty()) {
            return tl::unexpected("this machine has no device that the profile '" + of.name +
                                  "' is for; see postern-board probe, or name one with --device");
        }
        out.device = fitting.front();
    }
    const auto* const nic = on.nic_at(parse_device(out.device).name);
    const std::size_t cpus = on.cpus.size();
    const std::size_t free = cpus > of.reserved ? cpus - of.reserved : 1;
    const std::size_t queues = std::min<std::size_t>(of.most_queues, queues_of(nic, on));
    out.shards = static_cast<std::uint32_t>(std::clamp<std::size_t>(free, 1, std::max<std::size_t>(1, queues)));
    if (of.pinned) {
        out.cores = machine::cpu_list_text(choose_cpus(on, nic == nullptr ? -1 : nic->node, out.shards));
    }
    out.memory_mib = of.base_mib + of.queue_mib * out.shards;
    out.descriptors = of.descriptors;
    out.offload_checksums = of.checksums;
    out.busy = of.busy;
    return out;
}

}  // namespace postern::profiles
