// A profile: for one kind of machine, how many queues, which cores, how much memory and which offloads the packet path
// should have. A TOML file (postern-board(8), PROFILES) in share/postern/profiles; it becomes part of an edge.toml.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "board/machine/machine.h"
#include "board/profiles/edge_part.h"

namespace postern::profiles {

struct profile {
    std::string name;   ///< of the file, without .toml
    std::string about;  ///< one line
    // [device]
    std::vector<std::string> ids;      ///< of PCI devices it is for: "1af4:1041"
    std::vector<std::string> drivers;  ///< to bind them to, the best first
    std::string device;                ///< a virtual device instead, as edge.toml names it
    std::string mac;                   ///< for it
    // [queues]
    std::uint32_t most_queues = 1;  ///< one a shard
    std::uint32_t descriptors = 1024;
    // [cores]
    std::uint32_t reserved = 1;  ///< CPUs left for the kernel, the relay threads and control
    bool pinned = true;          ///< each shard on a CPU of its own
    bool busy = false;           ///< shards never sleep
    // [memory]
    std::uint32_t base_mib = 128;
    std::uint32_t queue_mib = 32;  ///< more for each queue
    // [offloads]
    bool checksums = true;

    bool is_virtual() const noexcept { return !device.empty(); }
};

tl::expected<profile, std::vector<std::string>> parse_profile(std::string_view text, const std::string& file,
                                                              const std::string& name);

/// Those of the folder, by name. An error names the file.
tl::expected<std::vector<profile>, std::vector<std::string>> read_profiles(const std::string& folder);

/// The bus addresses of NICs that the profile is for, best first: none that carries the default route before one that
/// does not. For a virtual device: its name, if its means are there.
std::vector<std::string> devices_for(const profile& of, const machine::machine& on);

/// What the profile makes of this machine. `device`: one of the machine's, or empty for the first that fits.
tl::expected<edge_part, std::string> plan_for(const profile& of, const machine::machine& on, const std::string& device);

}  // namespace postern::profiles
