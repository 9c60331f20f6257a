#include "dataplane/port/packet_shard.h"

#include <algorithm>

#include "dataplane/port/plain_frame.h"
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

/// Headers and a short command.
[[gnu::always_inline]] inline void ask_for(const received_frame& frame) noexcept {
    __builtin_prefetch(frame.octets.data());
    __builtin_prefetch(frame.octets.data() + 64);
}

}  // namespace

packet_shard::packet_shard(device& port, std::uint16_t number, const net::interface_settings& network,
                           std::span<const tcp::endpoint::listener> listeners, shard::connection_limits& limits,
                           const tcp::settings& tcp, const tcp::secrets& keys, shard::instant now, const ties& tied)
    : _port(port),
      _tied(tied),
      _number(number),
      _waker(tied.others != nullptr ? tied.others->waker(number) : _own_waker),
      _queue(port.queue_at(number, tied.others)),
      _sleeper({port.number(), number < port.queues() ? std::optional(number) : std::nullopt, port.interrupts()},
               _waker),
      _framing(_queue),
      _interface(network, _framing, now, number == 0 ? net::interface::part::whole : net::interface::part::segments),
      _endpoint(listeners, limits, _framing, tcp, keys, now) {
    _framing.use(_interface);
    if (_tied.others != nullptr) {
        _for.resize(_tied.others->shards());
        for (std::vector<rte_mbuf*>& each : _for) {
            each.reserve(burst_size);
        }
    }
}

std::span<const tcp::segment> packet_shard::receive(shard::instant now) {
    _segment_count = 0;
    _received_anything = false;
    _queue.fill();
    if (_tied.others != nullptr) {
        tell_or_hear(now);
        sort_out();
    }
    const std::span<const received_frame> frames = _queue.frames();
    if (_tied.captures != nullptr) {
        _captures = _tied.captures->load(std::memory_order_acquire);
        if (_captures != nullptr) {
            for (const received_frame& frame : frames) {
                _captures->see(_number, frame.octets, false);
            }
        }
        _queue.show_to(_captures, _number);
    }
    constexpr std::size_t ahead = 5;  // frames whose octets are on their way while one is read
    for (std::size_t i = 0; i < std::min(ahead, frames.size()); ++i) {
        ask_for(frames[i]);
    }
    // The kernel's twin has its say first, if there is one.
    const std::uint64_t own = _tied.kernel == nullptr ? _interface.untagged_link() : 0;
    std::size_t plain = 0;
    for (std::size_t i = 0; i < frames.size(); ++i) {
        if (i + ahead < frames.size()) {
            ask_for(frames[i + ahead]);
        }
        if (plain_frame::read(frames[i], own, _interface, _segments[_segment_count])) {
            ++_segment_count;
            ++plain;
        } else {
            take_frame(frames[i], now);
        }
    }
    _interface.count_segments(plain);
    _received_anything |= !frames.empty();
    if (_wakes_kernel) {
        _tied.kernel->wake();
        _wakes_kernel = false;
    }
    if (_number == 0 && _port.link_changes() != _link_changes) {
        _link_changes = _port.link_changes();
        if (_port.link().up) {
            _interface.link_came_up(now);
        }
    }
    _interface.tick(now);
    return {_segments.data(), _segment_count};
}

/// A frame that is not plain, or perhaps the kernel's.
void packet_shard::take_frame(const received_frame& frame, shard::instant now) {
    const net::checked header = frame.ip_checked ? net::checked::yes : net::checked::no;
    net::interface::usual_packet usual;
    if (_tied.kernel == nullptr && _interface.usual(frame.octets, header, usual)) {
        take_usual(frame, usual);
        return;
    }
    const auto verdict = _interface.input(frame.octets, now, header);
    switch (verdict.is) {
        case net::interface::verdict::what::segment: {
            if (_tied.kernel != nullptr && !is_listened_to(verdict.packet)) {
                give_to_kernel(frame);
                return;
            }
            take_segment(frame, verdict.packet.from, verdict.packet.to, verdict.packet.payload, verdict.link);
            return;
        }
        case net::interface::verdict::what::path_mtu:
            _reports[_report_count++] = report_of(verdict.path);
            break;
        case net::interface::verdict::what::other:
            if (_tied.kernel != nullptr) {
                give_to_kernel(frame);
            } else {
                _counts.others.add();
            }
            return;
        case net::interface::verdict::what::done:
        case net::interface::verdict::what::dropped:
            break;
    }
    if (verdict.for_kernel_too && _tied.kernel != nullptr) {
        give_to_kernel(frame);
    }
}

void packet_shard::take_usual(const received_frame& frame, const net::interface::usual_packet& packet) noexcept {
    tcp::segment& s = _segments[_segment_count];
    if ((!frame.segment_checked && !packet.segment_is_whole()) || !tcp::read_fields(s, packet.payload)) {
        _counts.bad_segments.add();
        return;
    }
    s.peer.address = packet.from;
    s.local.address = packet.to;
    s.link = packet.link;
    ++_segment_count;
}

void packet_shard::take_segment(const received_frame& frame, const net::ip_address& from, const net::ip_address& to,
                                net::octets octets, std::uint64_t link) noexcept {
    tcp::segment& s = _segments[_segment_count];
    if (tcp::read_segment(s, {from, 0}, {to, 0}, octets,
                          frame.segment_checked ? tcp::checksum_state::good : tcp::checksum_state::verify)) {
        s.link = link;
        ++_segment_count;
    } else {
        _counts.bad_segments.add();
    }
}

/// Whether the kernel's twin leaves the segment to us.
bool packet_shard::is_listened_to(const net::ip_packet& segment) const noexcept {
    if (segment.payload.size() < 4) {
        return true;  // no header: dropped and counted
    }
    return _endpoint.listener_for({segment.to, net::read16(segment.payload.data() + 2)}) != nullptr;
}

/// After it, the frame's octets are no longer ours.
void packet_shard::give_to_kernel(const received_frame& frame) noexcept {
    rte_mbuf* const buffer = _queue.give_away(frame);
    if (_tied.kernel->give(_number, buffer)) {
        _wakes_kernel = true;
    } else {
        _counts.twin_full.add();
        rte_pktmbuf_free(buffer);
    }
}

/// Frames of other shards' go there; those that others found for this one come in.
void packet_shard::sort_out() {
    for (const received_frame& frame : _queue.frames()) {
        const auto place = _tied.owners->place_of(frame.octets);
        if (!place) {
            continue;
        }
        const rte_mbuf& buffer = _queue.buffer(frame);
        if (place->hash && (buffer.ol_flags & RTE_MBUF_F_RX_RSS_HASH) != 0 && buffer.hash.rss != *place->hash &&
            _tied.owners->in_force().of_device) {
            _counts.hash_differs.add();
        }
        if (place->shard != _number) {
            _for[place->shard].push_back(_queue.give_away(frame));
        }
    }
    for (unsigned to = 0; to < _for.size(); ++to) {
        if (!_for[to].empty()) {
            hand_to(to, _for[to].data(), static_cast<unsigned>(_for[to].size()));
            _for[to].clear();
            _received_anything = true;
        }
    }
    _queue.keep_held();
    std::array<rte_mbuf*, burst_size> mine;  // NOLINT: filled below
    const unsigned n = _tied.others->take(_number, mine.data(), burst_size);
    for (unsigned i = 0; i < n; ++i) {
        _queue.add(mine[i]);
    }
    _counts.taken_over.add(n);
}

void packet_shard::hand_to(unsigned shard, rte_mbuf** frames, unsigned n) {
    const unsigned taken = _tied.others->give(_number, shard, frames, n);
    _counts.handed_over.add(n);
    if (taken < n) {
        _counts.hand_over_full.add(n - taken);
        rte_pktmbuf_free_bulk(frames + taken, n - taken);
    }
}

/// Shard 0 tells what it learned of the link; the others hear it.
void packet_shard::tell_or_hear(shard::instant now) {
    if (_number == 0) {
        // Who floods us with announcements makes no more than a hundred views a second.
        if (_interface.version() != _view_version && now >= _next_view) {
            _view_version = _interface.version();
            _next_view = now + std::chrono::milliseconds(10);
            _tied.view->replace(std::make_unique<net::link_view>(_interface.view()));
        }
        return;
    }
    const net::link_view* const view = _tied.view->read();
    if (view != nullptr && view->version != _view_version) {
        _view_version = view->version;
        _interface.follow(*view);
    }
}

shard::instant packet_shard::next_timer() const noexcept {
    const shard::instant due = std::min(_endpoint.next_timer(), _interface.next_timer());
    const bool tells = _number == 0 && _tied.view != nullptr && _interface.version() != _view_version;
    return tells ? std::min(due, _next_view) : due;
}

void packet_shard::end_turn() {
    for (std::size_t i = 0; i < _report_count; ++i) {
        _endpoint.path_mtu(_reports[i]);
    }
    _report_count = 0;
    _queue.flush();
    if (_tied.others != nullptr || _tied.kernel != nullptr) {
        send_for_others();
    }
    _queue.release();
    _gauges.connections.set(_endpoint.connections());
    _gauges.half_open.set(_endpoint.half_open());
    _gauges.time_wait.set(_endpoint.in_time_wait());
    _gauges.timers.set(_endpoint.timers());
    _gauges.octets_held.set(_endpoint.buffered());
}

/// Frames of shards that have no queue, and the kernel's.
void packet_shard::send_for_others() noexcept {
    std::array<rte_mbuf*, burst_size> frames;  // NOLINT: filled below
    if (_tied.others != nullptr && _tied.others->has_queue(_number)) {
        const unsigned n = _tied.others->take_to_send(_number, frames.data(), burst_size);
        _queue.send(frames.data(), static_cast<std::uint16_t>(n));
        _counts.sent_for_others.add(n);
        _received_anything |= n > 0;
    }
    if (_tied.kernel != nullptr && _number == 0) {
        const unsigned n = _tied.kernel->take(frames.data(), burst_size);
        _queue.show(frames.data(), static_cast<std::uint16_t>(n));
        _queue.send(frames.data(), static_cast<std::uint16_t>(n));
        _received_anything |= n > 0;
    }
}

}  // namespace postern::port
