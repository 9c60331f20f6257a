#include "dataplane/edge/packet_path.h"

#include <algorithm>

#include "board/process/log.h"
#include "dataplane/port/drivers.h"
#include "dataplane/port/packet_loop.h"
#include "smtp/session/layer.h"

namespace postern::edge {
namespace {

net::interface_settings network_of(const port_configuration& settings, const port::device& device) {
    net::interface_settings out = settings.network;
    out.mac = settings.mac.value_or(device.mac());
    return out;
}

std::vector<tcp::endpoint::listener> listeners_of(const configuration& settings) {
    std::vector<tcp::endpoint::listener> out;
    for (std::size_t i = 0; i < settings.listeners.size(); ++i) {
        out.push_back({settings.listeners[i].at, static_cast<std::uint16_t>(i)});
    }
    return out;
}

tcp::settings tcp_of(const configuration& settings) {
    tcp::settings out;
    std::uint64_t connections = 0;
    for (const listener_configuration& each : settings.listeners) {
        connections += each.limits.connections;
    }
    // Half-open ones and those that are told why they are refused have slots too.
    out.connections = static_cast<std::uint32_t>(std::min<std::uint64_t>(connections + out.half_open + 256, 4'000'000));
    out.mtu = settings.port->network.mtu;
    return out;
}

class packet_worker final : public shard_worker {
public:
    packet_worker(std::shared_ptr<port::device> device, const configuration& settings, const surroundings& around)
        : shard_worker(around),
          _device(std::move(device)),
          _parts(*_device, 0, network_of(*settings.port, *_device), listeners_of(settings), around.limits,
                 tcp_of(settings), tcp::random_secrets(), std::chrono::steady_clock::now().time_since_epoch()),
          _sessions(_parts.endpoint(), context_of(around)),
          _loop(_parts, _sessions, {.busy = settings.port->busy}) {}

    void run() override { _loop.run(); }
    void drain(shard::instant most) noexcept override { _loop.drain(most); }
    void hold(bool yes) noexcept override { _loop.hold(yes); }
    shard::waker& waker() noexcept override { return _parts.waker(); }
    void each_count(const std::function<void(std::string_view, std::uint64_t)>& see) const override {
        _parts.each_count(see);
    }

private:
    std::shared_ptr<port::device> _device;
    port::packet_shard _parts;
    session::layer<tcp::endpoint> _sessions;
    port::packet_loop<session::layer<tcp::endpoint>> _loop;
};

}  // namespace

process::result<std::shared_ptr<port::device>> open_port(const port_configuration& settings) {
    const auto environment = port::start_environment(
        {{port::with_driver_arguments(settings.device, settings.network.mtu)}, settings.memory_mib, false});
    if (!environment) {
        return tl::unexpected(environment.error());
    }
    port::device_settings wanted;
    wanted.name = settings.device.substr(0, settings.device.find(','));
    wanted.descriptors = settings.descriptors;
    wanted.mtu = settings.network.mtu;
    wanted.offload_checksums = settings.offload_checksums;
    wanted.mac = settings.mac;
    auto opened = port::device::open(wanted);
    if (!opened) {
        return tl::unexpected(opened.error());
    }
    process::log(process::level::info, "port_open",
                 {{"device", wanted.name}, {"driver", (*opened)->driver()}, {"huge_pages", environment->huge_pages}});
    return std::shared_ptr<port::device>(std::move(*opened));
}

std::unique_ptr<shard_worker> make_packet_worker(std::shared_ptr<port::device> port, const configuration& settings,
                                                 const shard_worker::surroundings& around) {
    return std::make_unique<packet_worker>(std::move(port), settings, around);
}

}  // namespace postern::edge
