// Frames of a port: a sequence of frames, each with a length of two octets in front. Whatever comes, no crash; what
// goes up lies within the frame; what is sent is a frame of ours that fits the MTU, and one frame brings at most one
// answer.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "dataplane/net/interface.h"

namespace {

using namespace postern;  // NOLINT: a program's own file

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

constexpr net::mac_address our_mac{0x02, 0, 0, 0, 0, 0x01};

class checking_sink final : public net::frame_sink {
public:
    void send(net::octets frame) noexcept override {
        ++sent;
        require(frame.size() >= 14 && frame.size() <= 1500 + 14);
        const auto read = net::read_ethernet(frame);
        require(read && read->from == our_mac && read->vlan == 0);
        if (read->type == net::ether_type::ipv4) {
            require(net::read_ipv4(read->payload).has_value());
        } else if (read->type == net::ether_type::ipv6) {
            require(net::read_ipv6(read->payload).has_value());
        } else {
            require(read->type == net::ether_type::arp && net::read_arp(read->payload).has_value());
        }
    }
    unsigned sent = 0;
};

bool within(net::octets part, const std::vector<std::uint8_t>& frame) {
    return part.empty() || (part.data() >= frame.data() && part.data() + part.size() <= frame.data() + frame.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    checking_sink sink;
    net::interface_settings s;
    s.mac = our_mac;
    s.addresses = {{net::ipv4(192, 0, 2, 1), 24}, {{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 64}};
    s.gateways = {net::ipv4(192, 0, 2, 9)};
    shard::instant now = std::chrono::seconds(1);
    net::interface port(s, sink, now);
    for (int i = 0; i < 4; ++i, now += std::chrono::seconds(1)) {
        port.tick(now);
    }
    for (net::octets rest(data, size); rest.size() >= 2;) {
        const std::size_t wanted = net::read16(rest.data()) % 2048U;
        const std::size_t length = std::min(wanted, rest.size() - 2);
        const std::vector<std::uint8_t> frame(rest.begin() + 2, rest.begin() + 2 + static_cast<std::ptrdiff_t>(length));
        rest = rest.subspan(2 + length);
        sink.sent = 0;
        // The short way takes a frame only for what the long way finds in it.
        net::interface::usual_packet usual;
        const bool quick = port.usual(frame, net::checked::no, usual);
        const auto verdict = port.input(frame, now);
        require(!quick || (verdict.is == net::interface::verdict::what::segment && usual.from == verdict.packet.from &&
                           usual.to == verdict.packet.to && usual.link == verdict.link &&
                           usual.payload.data() == verdict.packet.payload.data() &&
                           usual.payload.size() == verdict.packet.payload.size()));
        require(sink.sent <= 1);
        require(within(verdict.packet.payload, frame) && within(verdict.path.quoted.payload, frame));
        if (verdict.is == net::interface::verdict::what::segment) {
            require(port.owns(verdict.packet.to) && net::is_host(verdict.packet.from) && verdict.link != 0);
        }
        now += std::chrono::milliseconds(100);
        port.tick(now);
    }
    return 0;
}
