// One frame of a port: a first octet says what the NIC has checked, the rest is the frame. What the short way in takes
// for a plain segment, the long way takes for the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "dataplane/port/plain_frame.h"
#include "dataplane/tcp/header.h"

namespace {

using namespace postern;  // NOLINT: a program's own file

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

class no_sink final : public net::frame_sink {
public:
    void send(net::octets) noexcept override {}
};

bool same_options(const tcp::segment_options& a, const tcp::segment_options& b) {
    return a.timestamp == b.timestamp && a.timestamp_echo == b.timestamp_echo && a.mss == b.mss &&
           a.window_scale == b.window_scale && a.has_window_scale == b.has_window_scale &&
           a.has_timestamps == b.has_timestamps && a.sack_permitted == b.sack_permitted &&
           a.sack_blocks == b.sack_blocks;
}

bool same(const tcp::segment& a, const tcp::segment& b) {
    return a.peer == b.peer && a.local == b.local && a.seq == b.seq && a.ack == b.ack && a.window == b.window &&
           a.flags == b.flags && same_options(a.options, b.options) && a.payload.data() == b.payload.data() &&
           a.payload.size() == b.payload.size();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    no_sink sink;
    net::interface_settings s;
    s.mac = {0x02, 0, 0, 0, 0, 0x01};
    s.addresses = {{net::ipv4(192, 0, 2, 1), 24}};
    const shard::instant now = std::chrono::seconds(1);
    net::interface port(s, sink, now);
    const std::vector<std::uint8_t> octets(data + 1, data + size);  // of its own, so that a step beyond it is seen
    port::received_frame frame;
    frame.octets = octets;
    frame.ip_checked = (data[0] & 1U) != 0;
    frame.segment_checked = (data[0] & 2U) != 0;
    tcp::segment plain;
    if (!port::plain_frame::read(frame, port.untagged_link(), port, plain)) {
        return 0;
    }
    const auto verdict = port.input(frame.octets, now, frame.ip_checked ? net::checked::yes : net::checked::no);
    tcp::segment whole;
    require(verdict.is == net::interface::verdict::what::segment && verdict.link == plain.link);
    const auto read =
        tcp::read_segment(whole, {verdict.packet.from, 0}, {verdict.packet.to, 0}, verdict.packet.payload,
                          frame.segment_checked ? tcp::checksum_state::good : tcp::checksum_state::verify);
    require(read.has_value() && same(plain, whole));
    return 0;
}
