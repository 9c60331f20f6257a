// What edge.toml says of the packet path, as far as the machine has to do with it. postern-edge reads the whole and
// judges it (dataplane/edge/configuration.h); here the same keys are read, and the others left alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace postern::profiles {

struct edge_part {
    bool dpdk = false;         ///< edge.transport
    std::uint32_t shards = 0;  ///< edge.shards; 0: one for each CPU, or for each of `cores`
    std::string cores;         ///< edge.cores; empty: wherever the kernel puts them
    std::string user = "postern";
    std::string device;
    std::uint32_t memory_mib = 256;
    std::uint32_t descriptors = 1024;
    bool offload_checksums = true;
    bool busy = false;
    bool twin = false;  ///< port.twin: what is not Postern's goes to the kernel by a device of its own
    std::vector<std::string> addresses;
};

/// `name` is for the errors, which are those of the keys above.
tl::expected<edge_part, std::vector<std::string>> parse_edge_part(std::string_view text, const std::string& name);

/// How many shards run on a machine with so many CPUs.
std::uint32_t shard_count(const edge_part& of, std::size_t cpus);

}  // namespace postern::profiles
