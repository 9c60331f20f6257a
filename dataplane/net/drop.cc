#include "dataplane/net/drop.h"

namespace postern::net {

std::string_view to_string(drop why) noexcept {
    switch (why) {
        case drop::too_short:
            return "too_short";
        case drop::other_vlan:
            return "other_vlan";
        case drop::other_protocol:
            return "other_protocol";
        case drop::bad_arp:
            return "bad_arp";
        case drop::bad_ip_header:
            return "bad_ip_header";
        case drop::bad_ip_checksum:
            return "bad_ip_checksum";
        case drop::fragment:
            return "fragment";
        case drop::bad_extension:
            return "bad_extension";
        case drop::source_routed:
            return "source_routed";
        case drop::bad_source:
            return "bad_source";
        case drop::bad_icmp:
            return "bad_icmp";
        case drop::icmp_of_no_interest:
            return "icmp_of_no_interest";
        case drop::echo_limited:
            return "echo_limited";
        case drop::not_for_us:
            return "not_for_us";
        case drop::count:
            break;
    }
    return "unknown";
}

}  // namespace postern::net
