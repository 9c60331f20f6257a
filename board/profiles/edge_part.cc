#include "board/profiles/edge_part.h"

#include <algorithm>

#include "board/machine/cpu_list.h"
#include "board/process/settings.h"

namespace postern::profiles {

tl::expected<edge_part, std::vector<std::string>> parse_edge_part(std::string_view text, const std::string& name) {
    edge_part out;
    process::settings_file file(text, name);
    if (file.parsed()) {
        auto edge = file.root().table("edge");
        std::size_t transport = 0;
        edge.choice("transport", transport, {"sockets", "dpdk"});
        out.dpdk = transport == 1;
        edge.number<std::uint32_t>("shards", out.shards, 0, 256);
        edge.text("cores", out.cores);
        if (!machine::parse_cpu_list(out.cores)) {
            edge.error("cores", "it is no list of CPUs; write it as 2-5 or 2,4");
        }
        edge.text("user", out.user);
        auto port = file.root().table("port");
        port.text("device", out.device);
        port.number<std::uint32_t>("memory_mib", out.memory_mib, 0, 1'048'576);
        port.number<std::uint32_t>("queues", out.queues, 0, 256);
        port.number<std::uint32_t>("mtu", out.mtu, 576, 9216);
        port.number<std::uint32_t>("descriptors", out.descriptors, 64, 8192);
        port.boolean("offload_checksums", out.offload_checksums);
        std::size_t idle = 0;
        port.choice("idle", idle, {"sleep", "busy"});
        out.busy = idle == 1;
        port.boolean("twin", out.twin);
        port.texts("addresses", out.addresses);
    }
    std::vector<std::string> errors = file.finish(process::unknown_keys::left_alone);
    if (!errors.empty()) {
        return tl::unexpected(std::move(errors));
    }
    return out;
}

std::uint32_t memory_wanted(const edge_part& of, std::uint32_t shards) {
    if (of.memory_mib != 0) {
        return of.memory_mib;
    }
    // Where a shard's buffers may be at a time (dataplane/port/buffers.h), rounded up: both queues, its turn, rings to
    // every other shard and to the twin, the caches of all threads. A test holds it against what the port takes.
    constexpr std::uint64_t for_each_shard = 64 + 512 + 384;
    constexpr std::uint64_t besides = 192 + 512 + 1024;
    constexpr std::uint64_t page = 4096;
    constexpr std::uint64_t mib = 1024 * 1024;
    const std::uint64_t buffers = 2 * std::uint64_t{of.descriptors} + shards * for_each_shard + besides;
    const std::uint64_t octets = (std::uint64_t{of.mtu} + 1024 + page - 1) / page * page;
    const std::uint64_t pools = shards + (of.twin ? 1U : 0U);
    return static_cast<std::uint32_t>(pools * (buffers * octets / mib + 4) + 16);
}

std::uint32_t shard_count(const edge_part& of, std::size_t cpus) {
    if (of.shards != 0) {
        return of.shards;
    }
    const auto named = machine::parse_cpu_list(of.cores);
    const std::size_t count = named && !named->empty() ? named->size() : cpus;
    return static_cast<std::uint32_t>(std::max<std::size_t>(1, count));
}

}  // namespace postern::profiles
