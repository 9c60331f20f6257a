#include "dataplane/edge/port_commands.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <system_error>

#include "board/process/log.h"
#include "dataplane/edge/packet_port.h"
#include "dataplane/shard/endpoint_text.h"

namespace postern::edge {
namespace {

using process::level;
using refused = tl::unexpected<std::string>;

constexpr const char* folder = "captures";

std::string text_of(const net::mac_address& mac) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (const std::uint8_t octet : mac) {
        out += out.empty() ? "" : ":";
        out += digits[octet >> 4U];
        out += digits[octet & 15U];
    }
    return out;
}

std::string_view text_of(port::capture::state state) {
    switch (state) {
        case port::capture::state::running:
            return "running";
        case port::capture::state::time_over:
            return "time over";
        case port::capture::state::full:
            return "full";
        case port::capture::state::failed:
            return "failed";
        case port::capture::state::stopped:
            return "stopped";
    }
    return "";
}

tl::expected<process::descriptor, std::string> create_file(int state_folder, const std::string& name,
                                                           const std::string& path) {
    if (::mkdirat(state_folder, folder, 0700) != 0 && errno != EEXIST) {
        return refused(process::errno_text("make the folder of", path, errno));
    }
    process::descriptor file(::openat(state_folder, (std::string(folder) + "/" + name).c_str(),
                                      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) {
        return refused(errno == EEXIST ? path + " exists already; name another file"
                                       : process::errno_text("make", path, errno));
    }
    return file;
}

}  // namespace

port_commands::port_commands(std::shared_ptr<packet_port> port, const configuration& settings, int state_folder)
    : _port(std::move(port)), _settings(settings), _state_folder(state_folder) {}

port_commands::~port_commands() {
    end_capture();
}

port_report port_commands::report() const {
    const port::device& device = *_port->device;
    const port::device::link_state link = device.link();
    port_report out;
    out.device = _settings.port->device;
    out.driver = device.driver();
    out.mac = text_of(_port->network.mac);
    out.shards = device.shards();
    out.queues = device.queues();
    out.mtu = _port->network.mtu;
    out.huge_pages = _port->huge_pages;
    out.spread_by = spread_by(*_port);
    out.sleeps_by = sleeps_by(*_port, *_settings.port);
    out.twin = _settings.port->twin;
    out.link_up = link.up;
    out.link_mbps = link.mbps;
    out.link_changes = link.changes;
    return out;
}

capture_report port_commands::capture() const {
    if (!_capture) {
        return {};
    }
    const port::capture::report told = _capture->told();
    return {_file, std::string(text_of(told.is)), told.frames, told.octets, told.lost};
}

tl::expected<std::string, std::string> port_commands::start_capture(const command& said) {
    watch();
    if (_captures) {
        return refused("a capture to " + _file + " runs; end it: capture stop");
    }
    const std::string name = said.file + ".pcapng";
    const std::string path = _settings.state + "/" + folder + "/" + name;
    auto file = create_file(_state_folder, name, path);
    if (!file) {
        return refused(std::move(file.error()));
    }
    port::capture_settings wanted;
    wanted.filter = {said.network, said.prefix};
    wanted.most_octets = std::uint64_t{said.mib} << 20U;
    wanted.most_time = std::chrono::seconds(said.seconds);
    wanted.application = "postern-edge of " + _settings.name;
    wanted.interface = _settings.port->device;
    wanted.shards = _port->device->shards();
    try {
        _capture = std::make_unique<port::capture>(wanted, std::move(*file));
    } catch (const std::system_error& error) {
        return refused(std::string("no thread for a capture: ") + error.what());
    }
    _file = path;
    _captures = true;
    _port->captures.store(_capture.get(), std::memory_order_release);
    process::log(level::info, "capture_started",
                 {{"file", path},
                  {"filter", shard::address_text({said.network, 0}) + "/" + std::to_string(said.prefix)},
                  {"seconds", said.seconds},
                  {"mib", said.mib}});
    return path;
}

tl::expected<capture_report, std::string> port_commands::stop_capture() {
    watch();
    if (!_captures) {
        return refused("no capture runs");
    }
    end_capture();
    return capture();
}

void port_commands::end_capture() {
    if (!_captures) {
        return;
    }
    _captures = false;
    _port->captures.store(nullptr, std::memory_order_release);
    shard::wait_for_readers();  // no shard sees it any more
    _capture->stop();
    const port::capture::report told = _capture->told();
    process::log(level::info, "capture_ended",
                 {{"file", _file},
                  {"why", text_of(told.is)},
                  {"frames", told.frames},
                  {"octets", told.octets},
                  {"lost", told.lost}});
}

bool port_commands::watch() {
    if (_captures && _capture->told().is != port::capture::state::running) {
        end_capture();
    }
    if (!_port->device->look_at_link()) {
        return false;
    }
    const port::device::link_state link = _port->device->link();
    process::log(link.up ? level::info : level::warn, "port_link", {{"up", link.up}, {"mbps", link.mbps}});
    return true;
}

void port_commands::counters(const std::function<void(std::string_view, std::uint64_t)>& see) const {
    const port::device::losses lost = _port->device->lost();
    see("port_missed", lost.missed);
    see("port_no_buffer", lost.no_buffer);
    see("port_bad", lost.bad);
    see("port_unsent", lost.unsent);
    see("port_link_changes", _port->device->link_changes());
}

}  // namespace postern::edge
