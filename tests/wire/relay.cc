#include "tests/wire/relay.h"

#include <algorithm>

#include "dataplane/net/ethernet.h"
#include "dataplane/net/ip.h"
#include "dataplane/tcp/header.h"

namespace postern::wire {

crossing look_at(std::span<const std::uint8_t> frame, bool from_near) noexcept {
    crossing out;
    out.from_near = from_near;
    const auto link = net::read_ethernet(frame);
    if (!link) {
        return out;
    }
    const auto packet = link->type == net::ether_type::ipv6 ? net::read_ipv6(link->payload)
                                                            : net::read_ipv4(link->payload, net::checked::yes);
    if (!packet || packet->protocol != net::protocol::tcp) {
        return out;
    }
    const auto segment =
        tcp::read_segment({packet->from, 0}, {packet->to, 0}, packet->payload, tcp::checksum_state::good);
    if (segment) {
        out.tcp = true;
        out.flags = segment->flags;
        out.payload = segment->payload.size();
    }
    return out;
}

relay::relay(port::queue& near, port::queue& far, const wire::path& p) : _near(near), _far(far), _path(p) {
    _path.first = net::ethernet_header_size(0);
}

bool relay::take(port::queue& from, bool from_near, shard::instant now) {
    bool any = false;
    for (const port::received_frame& frame : from.receive()) {
        any = true;
        _path.cross(look_at(frame.octets, from_near), from_near ? 0 : 1, now,
                    std::vector<std::uint8_t>(frame.octets.begin(), frame.octets.end()),
                    [&](shard::instant at, std::vector<std::uint8_t> whole) {
                        _way.emplace(at, travelling{from_near, std::move(whole)});
                    });
    }
    from.release();
    return any;
}

bool relay::turn(shard::instant now) {
    bool any = take(_near, true, now);
    any |= take(_far, false, now);
    for (; !_way.empty() && _way.begin()->first <= now; _way.erase(_way.begin())) {
        const travelling& one = _way.begin()->second;
        port::queue& to = one.to_far ? _far : _near;
        const std::span<std::uint8_t> room = to.frame();
        if (room.size() >= one.octets.size()) {
            std::copy(one.octets.begin(), one.octets.end(), room.begin());
            to.put(one.octets.size());
        }
        any = true;
    }
    _near.flush();
    _far.flush();
    return any;
}

}  // namespace postern::wire
