#include "dataplane/net/arp.h"

#include "dataplane/net/ethernet.h"

namespace postern::net {
namespace {

constexpr std::size_t message_size = 28;
constexpr std::uint16_t hardware_ethernet = 1;
constexpr std::uint16_t operation_request = 1;
constexpr std::uint16_t operation_reply = 2;

}  // namespace

tl::expected<arp_message, drop> read_arp(octets payload) noexcept {
    if (payload.size() < message_size) {
        return tl::unexpected(drop::too_short);
    }
    const std::uint8_t* const at = payload.data();
    const std::uint16_t operation = read16(at + 6);
    if (read16(at) != hardware_ethernet || read16(at + 2) != ether_type::ipv4 || at[4] != 6 || at[5] != 4 ||
        (operation != operation_request && operation != operation_reply)) {
        return tl::unexpected(drop::bad_arp);
    }
    arp_message out;
    out.request = operation == operation_request;
    std::copy_n(at + 8, 6, out.sender_mac.begin());
    out.sender = ipv4(at[14], at[15], at[16], at[17]);
    std::copy_n(at + 18, 6, out.target_mac.begin());
    out.target = ipv4(at[24], at[25], at[26], at[27]);
    // 0.0.0.0 asks; it owns nothing that could be said in a reply.
    if (is_group(out.sender_mac) || is_multicast(out.sender) || (!out.request && !is_host(out.sender))) {
        return tl::unexpected(drop::bad_arp);
    }
    return out;
}

void write_arp(writer& out, const arp_message& message) noexcept {
    out.put16(hardware_ethernet).put16(ether_type::ipv4).put8(6).put8(4);
    out.put16(message.request ? operation_request : operation_reply);
    out.put(message.sender_mac).put(octets(message.sender).subspan(12));
    out.put(message.target_mac).put(octets(message.target).subspan(12));
}

}  // namespace postern::net
