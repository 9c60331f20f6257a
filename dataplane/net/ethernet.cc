#include "dataplane/net/ethernet.h"

namespace postern::net {

tl::expected<ethernet_frame, drop> read_ethernet(octets frame) noexcept {
    if (frame.size() < ethernet_header_size(0)) {
        return tl::unexpected(drop::too_short);
    }
    ethernet_frame out;
    std::copy_n(frame.data(), 6, out.to.begin());
    std::copy_n(frame.data() + 6, 6, out.from.begin());
    out.type = read16(frame.data() + 12);
    std::size_t at = ethernet_header_size(0);
    if (out.type == ether_type::vlan) {
        if (frame.size() < ethernet_header_size(1)) {
            return tl::unexpected(drop::too_short);
        }
        out.vlan = read16(frame.data() + 14) & 0x0fffU;
        out.type = read16(frame.data() + 16);
        at = ethernet_header_size(1);
    }
    out.payload = frame.subspan(at);
    return out;
}

void write_ethernet(writer& out, const mac_address& to, const mac_address& from, vlan_id vlan,
                    std::uint16_t type) noexcept {
    out.put(to).put(from);
    if (vlan != 0) {
        out.put16(ether_type::vlan).put16(vlan);
    }
    out.put16(type);
}

}  // namespace postern::net
