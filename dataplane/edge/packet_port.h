// A network port of its own and what its shards share.
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "dataplane/edge/port_configuration.h"
#include "dataplane/port/packet_shard.h"

namespace postern::edge {

struct packet_port {
    packet_port() = default;
    packet_port(const packet_port&) = delete;
    packet_port& operator=(const packet_port&) = delete;
    ~packet_port() { shard::wait_for_retired(); }

    std::unique_ptr<port::device> device;  // first: the others hold its buffers
    net::interface_settings network;
    bool huge_pages = false;
    shard::published<net::link_view> view;
    std::optional<port::steering> owners;
    std::unique_ptr<port::hand_over> others;  ///< of several shards
    std::unique_ptr<port::twin> kernel;
    std::atomic<port::capture*> captures{nullptr};

    port::ties ties() noexcept {
        port::ties out;
        out.kernel = kernel.get();
        out.captures = &captures;
        if (others) {
            out.others = others.get();
            out.owners = &*owners;
            out.view = &view;
        }
        return out;
    }
};

/// Who spreads connections over shards, and how shards sleep: in the log's and the edge socket's words.
inline const char* spread_by(const packet_port& port) noexcept {
    return port.device->shards() == 1 ? "nobody" : port.device->owners().of_device ? "device" : "shards";
}
inline const char* sleeps_by(const packet_port& port, const port_configuration& settings) noexcept {
    return settings.busy ? "never" : port.device->interrupts() ? "interrupts" : "polling";
}

}  // namespace postern::edge
