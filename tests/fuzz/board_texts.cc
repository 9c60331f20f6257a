// What postern-board reads of people: edge.toml, profiles, CPU lists and names of devices. An edge.toml that a profile
// was written into holds what was meant, and a second time changes nothing.
#include <cstddef>
#include <cstdint>
#include <string>

#include "board/machine/cpu_list.h"
#include "board/profiles/device_name.h"
#include "board/profiles/edge_text.h"
#include "board/profiles/profile.h"

namespace {

using namespace postern;

profiles::edge_keys some_keys() {
    profiles::edge_part part;
    part.dpdk = true;
    part.shards = 3;
    part.cores = "1-3";
    part.device = "0000:00:04.0";
    part.memory_mib = 224;
    return profiles::keys_of(part, "02:00:00:00:00:01", {"192.0.2.1/24"}, {});
}

void check(bool holds) {
    if (!holds) {
        __builtin_trap();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t longest = 4096;  // toml++ takes long over long nonsense, and finds nothing more in it
    const std::string text(reinterpret_cast<const char*>(data), size < longest ? size : longest);
    static const profiles::edge_keys keys = some_keys();
    if (const auto once = profiles::with_keys(text, keys, "edge.toml")) {
        const auto part = profiles::parse_edge_part(*once, "edge.toml");
        check(part && part->dpdk && part->shards == 3 && part->memory_mib == 224 && part->device == "0000:00:04.0");
        const auto twice = profiles::with_keys(*once, keys, "edge.toml");
        check(twice && *twice == *once);
    }
    (void)profiles::parse_profile(text, "p.toml", "p");
    (void)profiles::parse_device(text).argument("iface");
    if (const auto cpus = machine::parse_cpu_list(text)) {
        check(machine::parse_cpu_list(machine::cpu_list_text(*cpus)) == cpus);
    }
    return 0;
}
