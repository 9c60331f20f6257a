#include "perf/packets/packets.h"

#include <algorithm>
#include <thread>

#include "dataplane/net/octets.h"
#include "dataplane/port/buffers.h"
#include "dataplane/port/drivers.h"
#include "dataplane/shard/endpoint_text.h"
#include "dataplane/tcp/header.h"

namespace postern::perf {

namespace {

constexpr shard::instant resolving = std::chrono::seconds(5);
constexpr shard::instant lingering = std::chrono::seconds(3);  ///< a close that gets no answer
constexpr shard::instant ack_delay = std::chrono::milliseconds(40);
constexpr unsigned turns_before_yielding = 100;

/// net_af_packet has its rings' length as an argument and not by its descriptors.
std::string with_ring(const port_plan& plan) {
    const bool lacks = plan.device.starts_with("net_af_packet") && plan.device.find("framecnt=") == std::string::npos;
    return plan.device + (lacks ? ",framecnt=" + std::to_string(plan.descriptors) : "");
}

shard::instant clock() noexcept {
    return std::chrono::steady_clock::now().time_since_epoch();
}

}  // namespace

struct packets::connection : shard::timer_wheel::timer {
    connection(opener::options o, tcp::segment_sink& sink, std::uint32_t its_slot)
        : ends(o.local), tcp(std::move(o), sink), slot(its_slot) {}

    shard::endpoint ends;  ///< its own
    opener tcp;
    shard::instant gone_at = shard::never;  ///< when a close is not waited for any longer
    std::uint32_t slot;
    packets::phase phase = packets::phase::connecting;
};

process::result<std::unique_ptr<port::device>> open_port(const port_plan& plan) {
    const std::uint16_t descriptors = port::descriptors_in_use(plan.device, plan.descriptors);
    port::environment_settings around;
    around.devices = {port::with_driver_arguments(with_ring(plan), plan.network.mtu)};
    around.memory_mib = plan.memory_mib != 0
                            ? plan.memory_mib
                            : port::memory_needed_mib({descriptors, descriptors, 1, false}, plan.network.mtu);
    if (const auto started = port::start_environment(around); !started) {
        return tl::unexpected(started.error());
    }
    port::device_settings wanted;
    wanted.name = plan.device.substr(0, plan.device.find(','));
    wanted.descriptors = descriptors;
    wanted.mtu = plan.network.mtu;
    wanted.interrupts = false;
    wanted.offload_checksums = plan.offload_checksums;
    wanted.mac = plan.mac;
    return port::device::open(wanted);
}

packets::packets(const port_plan& plan, port::device& device, std::size_t slots, std::uint64_t seed)
    : _plan(plan),
      _device(device),
      _queue(device.queue_at(0)),
      _framing(_queue),
      _now(clock()),
      _interface(
          [&] {
              net::interface_settings network = plan.network;
              network.mac = plan.mac.value_or(device.mac());
              return network;
          }(),
          _framing, _now),
      _timers(_now),
      _names(static_cast<std::uint32_t>(slots), static_cast<std::uint32_t>(plan.network.addresses.size())),
      _random(seed),
      _connections(slots),
      _generations(slots) {
    _framing.use(_interface);
}

process::result<std::unique_ptr<transport>> packets::make(const port_plan& plan, port::device& device,
                                                          std::size_t slots, std::uint64_t seed) {
    std::unique_ptr<packets> out(new packets(plan, device, slots, seed));
    const shard::instant end = clock() + resolving;
    while (!out->_interface.gateways_reachable()) {
        if (out->_now > end) {
            return tl::unexpected("nobody on the link says that it is " +
                                  shard::address_text({plan.network.gateways.front(), 0}));
        }
        out->turn(nullptr);
        std::this_thread::yield();
    }
    return out;
}

shard::endpoint packets::local_of(std::uint32_t slot) const noexcept {
    const rig::client_names::name name = _names.name_of(slot, _generations[slot]);
    return {_plan.network.addresses[name.source].ip, name.port};
}

process::result<void> packets::open(std::uint32_t slot, std::uint64_t /*number*/) {
    const std::uint16_t headers = net::is_ipv4(_plan.server.address) ? 40 : 60;
    ++_generations[slot];
    opener::options o;
    o.local = local_of(slot);
    o.server = _plan.server;
    o.isn = static_cast<std::uint32_t>(_random.next());
    o.timestamp_base = static_cast<std::uint32_t>(_random.next());
    o.mss = static_cast<std::uint16_t>(_plan.network.mtu - headers);
    o.ack_delay = ack_delay;
    _connections[slot] = std::make_unique<connection>(std::move(o), _framing, slot);
    _connections[slot]->tcp.connect(clock());
    set_timer(*_connections[slot]);
    return {};
}

void packets::send(std::uint32_t slot, std::string_view octets) {
    _connections[slot]->tcp.send(octets, clock());
    set_timer(*_connections[slot]);
}

bool packets::close(std::uint32_t slot) {
    connection& c = *_connections[slot];
    const shard::instant now = clock();
    if (c.phase == phase::connecting || c.tcp.saw_rst()) {
        c.tcp.abort(now);
        forget(slot);
        return true;
    }
    c.phase = phase::closing;
    c.gone_at = now + lingering;
    c.tcp.close(now);
    set_timer(c);
    return false;
}

void packets::forget(std::uint32_t slot) {
    _timers.cancel(*_connections[slot]);
    _connections[slot].reset();
}

void packets::set_timer(connection& c) noexcept {
    _timers.set(c, std::min(c.tcp.next_timer(), c.gone_at));
}

process::result<void> packets::wait(std::uint64_t most_ns, listener& tell) {
    const shard::instant end = clock() + shard::instant(static_cast<std::int64_t>(most_ns));
    _queue.flush();
    for (unsigned empty = 0; !turn(&tell) && _now < end; ++empty) {
        if (empty > turns_before_yielding) {
            std::this_thread::yield();
        }
    }
    return {};
}

/// One look at the port and the clock; true if anything came of it. `tell`: null while there are no connections.
bool packets::turn(listener* tell) {
    _now = clock();
    const std::span<const port::received_frame> frames = _queue.receive();
    bool any = !frames.empty();
    for (const port::received_frame& frame : frames) {
        take(frame, tell);
    }
    while (tell != nullptr) {
        shard::timer_wheel::timer* const due = _timers.expire(_now);
        if (due == nullptr) {
            break;
        }
        expired(static_cast<connection&>(*due), *tell);
        any = true;
    }
    _interface.tick(_now);
    _queue.flush();
    _queue.release();
    return any;
}

void packets::take(const port::received_frame& frame, listener* tell) {
    const auto verdict = _interface.input(frame.octets, _now, frame.ip_checked ? net::checked::yes : net::checked::no);
    if (verdict.is != net::interface::verdict::what::segment) {
        return;
    }
    tcp::segment s;
    if (!tcp::read_segment(s, {verdict.packet.from, 0}, {verdict.packet.to, 0}, verdict.packet.payload,
                           frame.segment_checked ? tcp::checksum_state::good : tcp::checksum_state::verify)) {
        ++_counts.bad_segments;
        return;
    }
    s.link = verdict.link;
    take(s, tell);
}

void packets::take(const tcp::segment& s, listener* tell) {
    const net::ip_address& first = _plan.network.addresses.front().ip;
    const std::uint32_t source = net::read32(s.local.address.data() + 12) - net::read32(first.data() + 12);
    const std::uint32_t slot = _names.place_of({source, s.local.port});
    connection* const c = _connections[slot].get();
    if (tell == nullptr || c == nullptr || c->ends != s.local || _plan.server != s.peer) {
        refuse(s);
        return;
    }
    c->tcp.input(s, _now);
    tell_news(slot, *tell);
    if (connection* const left = _connections[slot].get(); left != nullptr) {
        _counts.resent_segments += left->tcp.take_resent();
        set_timer(*left);
    }
}

/// What the last segment brought. The listener may close the connection meanwhile.
void packets::tell_news(std::uint32_t slot, listener& tell) {
    connection& c = *_connections[slot];
    switch (c.phase) {
        case phase::connecting:
            if (c.tcp.saw_rst()) {
                forget(slot);
                tell.refused(slot, "cannot connect to the target: Connection refused");
                return;
            }
            if (!c.tcp.established()) {
                return;
            }
            c.phase = phase::open;
            tell.connected(slot);
            break;
        case phase::open:
            break;
        case phase::closing:
            c.tcp.take();
            if (c.tcp.closed() || c.tcp.saw_rst()) {
                forget(slot);
                tell.gone(slot);
            }
            return;
    }
    if (const std::string octets = c.tcp.take(); !octets.empty()) {
        tell.received(slot, octets);
    }
    if (_connections[slot] == nullptr) {
        return;
    }
    if (c.phase == phase::open && (c.tcp.saw_rst() || c.tcp.saw_fin())) {
        tell.lost(slot, c.tcp.saw_rst() ? "Connection reset by peer" : "closed by the server");
    }
    if (_connections[slot] != nullptr && c.phase == phase::closing && c.tcp.closed()) {
        forget(slot);
        tell.gone(slot);
    }
}

void packets::expired(connection& c, listener& tell) {
    if (c.gone_at <= _now) {
        const std::uint32_t slot = c.slot;
        c.tcp.abort(_now);
        forget(slot);
        tell.gone(slot);
        return;
    }
    const bool syn = !c.tcp.established();
    c.tcp.poll(_now);
    (syn ? _counts.resent_syns : _counts.resent_segments) += c.tcp.take_resent();
    set_timer(c);
}

/// To what belongs to no connection. RFC 9293 3.10.7.1.
void packets::refuse(const tcp::segment& s) noexcept {
    ++_counts.strays;
    if (s.has(tcp::flag::rst)) {
        return;
    }
    tcp::outgoing out;
    out.local = s.local;
    out.peer = s.peer;
    out.link = s.link;
    out.flags = tcp::flag::rst;
    if (s.has(tcp::flag::ack)) {
        out.seq = s.ack;
    } else {
        out.flags |= tcp::flag::ack;
        out.ack = s.seq + s.length();
    }
    _framing.send(out);
}

wire_counts packets::counts() const {
    wire_counts out = _counts;
    const port::device::losses lost = _device.lost();
    out.lost_frames = lost.missed + lost.no_buffer + lost.unsent + _queue.counts().no_frame_buffer.value() +
                      _queue.counts().no_room.value();
    return out;
}

}  // namespace postern::perf
