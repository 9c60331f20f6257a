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
    std::uint32_t memory_mib = 0;  ///< 0: as much as `memory_wanted` says
    std::uint32_t queues = 0;      ///< 0: one for each shard, or as many as the device has
    std::uint32_t descriptors = 1024;
    bool offload_checksums = true;
    bool busy = false;
    std::uint32_t mtu = 1500;
    bool twin = false;  ///< the kernel has a device beside the port, and shares it
    std::vector<std::string> addresses;
};

/// `name` is for the errors, which are those of the keys above.
tl::expected<edge_part, std::vector<std::string>> parse_edge_part(std::string_view text, const std::string& name);

/// Memory for buffers in MiB, with `shards` of them: what is written, else no less than postern-edge takes by itself.
std::uint32_t memory_wanted(const edge_part& of, std::uint32_t shards);

/// How many shards run on a machine with so many CPUs.
std::uint32_t shard_count(const edge_part& of, std::size_t cpus);

}  // namespace postern::profiles
