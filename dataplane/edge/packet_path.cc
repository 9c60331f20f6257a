#include "dataplane/edge/packet_path.h"

#include <algorithm>

#include "board/process/log.h"
#include "dataplane/edge/packet_port.h"
#include "dataplane/port/drivers.h"
#include "dataplane/port/packet_loop.h"
#include "smtp/session/layer.h"

namespace postern::edge {

namespace {

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

static_assert(tcp::connection_slot::room >= sizeof(session::client_session), "sessions lie beside their connections");

class packet_worker final : public shard_worker {
public:
    packet_worker(std::shared_ptr<packet_port> port, unsigned number, const configuration& settings,
                  const surroundings& around)
        : shard_worker(around),
          _port(std::move(port)),
          _kernel(number == 0 ? _port->kernel.get() : nullptr),
          _parts(*_port->device, static_cast<std::uint16_t>(number), _port->network, listeners_of(settings),
                 around.limits, tcp_of(settings), tcp::random_secrets(),
                 std::chrono::steady_clock::now().time_since_epoch(), _port->ties()),
          _sessions(_parts.endpoint(), context_of(around)),
          _loop(_parts, _sessions, {.busy = settings.port->busy}) {}
    packet_worker(const packet_worker&) = delete;
    packet_worker& operator=(const packet_worker&) = delete;
    ~packet_worker() override {
        if (_kernel != nullptr) {
            _kernel->stop();
        }
    }

    void run() override {
        if (_kernel != nullptr) {
            _kernel->start(_parts.waker());
        }
        _loop.run();
    }
    void drain(shard::instant most) noexcept override { _loop.drain(most); }
    void hold(bool yes) noexcept override { _loop.hold(yes); }
    shard::waker& waker() noexcept override { return _parts.waker(); }
    void each_count(const std::function<void(std::string_view, std::uint64_t)>& see) const override {
        _parts.each_count(see);
        if (_kernel != nullptr) {
            _kernel->counts().for_each([&](std::string_view name, std::uint64_t value) {
                std::string prefixed = "twin_";
                prefixed += name;
                see(prefixed, value);
            });
        }
    }

private:
    std::shared_ptr<packet_port> _port;
    port::twin* _kernel;  ///< of shard 0, which sends for it
    port::packet_shard _parts;
    session::layer<tcp::endpoint> _sessions;
    port::packet_loop<session::layer<tcp::endpoint>> _loop;
};

process::result<void> open_device(const configuration& settings, packet_port& out) {
    const port_configuration& port = *settings.port;
    port::device_settings wanted;
    wanted.name = port.device.substr(0, port.device.find(','));
    wanted.shards = static_cast<std::uint16_t>(settings.shard_count());
    wanted.queues = port.queues;
    wanted.descriptors = port::descriptors_in_use(port.device, port.descriptors);
    wanted.mtu = port.network.mtu;
    wanted.offload_checksums = port.offload_checksums;
    wanted.interrupts = !port.busy;
    wanted.kernel_twin = !port.twin.empty();
    wanted.mac = port.mac;
    auto opened = port::device::open(wanted);
    if (!opened) {
        return tl::unexpected(std::move(opened.error()));
    }
    out.device = std::move(*opened);
    out.network = port.network;
    out.network.mac = port.mac.value_or(out.device->mac());
    return {};
}

}  // namespace

process::result<std::shared_ptr<packet_port>> open_port(const configuration& settings) {
    const port_configuration& port = *settings.port;
    const unsigned shards = settings.shard_count();
    const std::uint16_t descriptors = port::descriptors_in_use(port.device, port.descriptors);
    const std::uint32_t needed =
        port::memory_needed_mib({descriptors, descriptors, shards, !port.twin.empty()}, port.network.mtu);
    const auto environment = port::start_environment({{port::with_driver_arguments(port.device, port.network.mtu)},
                                                      port.memory_mib != 0 ? port.memory_mib : needed,
                                                      port.telemetry});
    if (!environment) {
        return tl::unexpected(environment.error());
    }
    auto out = std::make_shared<packet_port>();
    out->huge_pages = environment->huge_pages;
    if (auto opened = open_device(settings, *out); !opened) {
        return tl::unexpected(std::move(opened.error()));
    }
    if (shards > 1) {
        out->owners.emplace(out->device->owners());
        out->others = std::make_unique<port::hand_over>(shards, out->device->queues());
    }
    if (!port.twin.empty()) {
        auto made = port::twin::open({port.twin, out->network, shards}, out->device->kernel_pool());
        if (!made) {
            return tl::unexpected(std::move(made.error()));
        }
        out->kernel = std::move(*made);
    }
    process::log(process::level::info, "port_open",
                 {{"device", port.device.substr(0, port.device.find(','))},
                  {"driver", out->device->driver()},
                  {"huge_pages", environment->huge_pages},
                  {"shards", shards},
                  {"queues", out->device->queues()},
                  {"spread_by", spread_by(*out)},
                  {"sleeps_by", sleeps_by(*out, port)},
                  {"twin", port.twin},
                  {"telemetry", environment->telemetry}});
    return out;
}

std::unique_ptr<shard_worker> make_packet_worker(std::shared_ptr<packet_port> port, unsigned number,
                                                 const configuration& settings,
                                                 const shard_worker::surroundings& around) {
    return std::make_unique<packet_worker>(std::move(port), number, settings, around);
}

}  // namespace postern::edge
