#include "dataplane/port/packet_shard.h"

#include "dataplane/tcp/header.h"

namespace postern::port {
namespace {

tcp::path_report report_of(const net::path_mtu_report& told) noexcept {
    tcp::path_report out;
    const std::uint8_t* const at = told.quoted.payload.data();  // at least 8 octets: ports and sequence number
    out.local = {told.quoted.from, net::read16(at)};
    out.peer = {told.quoted.to, net::read16(at + 2)};
    out.seq = net::read32(at + 4);
    out.next_mtu = told.next_mtu;
    out.quoted_size = told.quoted.size;
    return out;
}

}  // namespace

packet_shard::packet_shard(device& port, std::uint16_t queue, const net::interface_settings& network,
                           std::span<const tcp::endpoint::listener> listeners, shard::connection_limits& limits,
                           const tcp::settings& tcp, const tcp::secrets& keys, shard::instant now)
    : _queue(port.queue_at(queue)),
      _framing(_queue),
      _interface(network, _framing, now),
      _endpoint(listeners, limits, _framing, tcp, keys, now) {
    _framing.use(_interface);
}

std::span<const tcp::segment> packet_shard::receive(shard::instant now) {
    std::size_t segments = 0;
    for (const received_frame& frame : _queue.receive()) {
        const auto verdict =
            _interface.input(frame.octets, now, frame.ip_checked ? net::checked::yes : net::checked::no);
        switch (verdict.is) {
            case net::interface::verdict::what::segment: {
                const auto read =
                    tcp::read_segment({verdict.packet.from, 0}, {verdict.packet.to, 0}, verdict.packet.payload,
                                      frame.segment_checked ? tcp::checksum_state::good : tcp::checksum_state::verify);
                if (read) {
                    _segments[segments] = *read;
                    _segments[segments++].link = verdict.link;
                } else {
                    _counts.bad_segments.add();
                }
                break;
            }
            case net::interface::verdict::what::path_mtu:
                _reports[_report_count++] = report_of(verdict.path);
                break;
            case net::interface::verdict::what::other:
                _counts.others.add();
                break;
            case net::interface::verdict::what::done:
            case net::interface::verdict::what::dropped:
                break;
        }
    }
    _interface.tick(now);
    return {_segments.data(), segments};
}

void packet_shard::end_turn() {
    for (std::size_t i = 0; i < _report_count; ++i) {
        _endpoint.path_mtu(_reports[i]);
    }
    _report_count = 0;
    _queue.flush();
    _queue.release();
    _gauges.connections.set(_endpoint.connections());
    _gauges.half_open.set(_endpoint.half_open());
    _gauges.time_wait.set(_endpoint.in_time_wait());
    _gauges.timers.set(_endpoint.timers());
    _gauges.octets_held.set(_endpoint.buffered());
}

}  // namespace postern::port
