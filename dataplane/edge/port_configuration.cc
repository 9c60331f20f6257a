#include "dataplane/edge/port_configuration.h"

#include "dataplane/net/address_text.h"
#include "dataplane/shard/endpoint_text.h"

namespace postern::edge {

void read_port(process::settings_section section, port_configuration& out) {
    section.text("device", out.device);
    if (out.device.empty()) {
        section.error("device", "it is missing; name the port, as in \"0000:00:04.0\" or \"net_tap0,iface=postern0\"");
    }
    bool twin = false;
    section.boolean("twin", twin);
    std::string name = "postern0";
    section.text("twin_device", name);
    if (name.empty() || name.size() > 15 || name.find_first_of("/ \t:%") != std::string::npos) {
        section.error("twin_device", "it is no name of a device; write 1 to 15 letters and digits, as in \"postern0\"");
    }
    out.twin = twin ? name : "";
    section.number<std::uint32_t>("memory_mib", out.memory_mib, 0, 1'048'576);
    section.number<std::uint16_t>("queues", out.queues, 0, 256);
    section.number<std::uint16_t>("descriptors", out.descriptors, 64, 8192);
    section.boolean("offload_checksums", out.offload_checksums);
    std::size_t idle = 0;
    section.choice("idle", idle, {"sleep", "busy"});
    out.busy = idle == 1;
    section.boolean("telemetry", out.telemetry);
    section.number<std::uint16_t>("vlan", out.network.vlan, 0, 4094);
    section.number<std::uint16_t>("mtu", out.network.mtu, 576, 9216);
    section.boolean("find_duplicates", out.network.find_duplicates);
    section.number<std::uint32_t>("echo_per_second", out.network.echo_per_second, 0, 1'000'000);
    std::string mac;
    section.text("mac", mac);
    if (!mac.empty()) {
        out.mac = net::parse_mac(mac);
        if (!out.mac) {
            section.error("mac", "it is no Ethernet address; write it as 02:00:00:00:00:01");
        }
    }
    std::vector<std::string> addresses;
    section.texts("addresses", addresses);
    for (const std::string& text : addresses) {
        const auto own = net::parse_own_address(text);
        if (!own) {
            section.error(
                "addresses",
                "\"" + text + "\" is no address with its network; write it as 192.0.2.1/24 or 2001:db8::1/64");
        } else {
            out.network.addresses.push_back(*own);
        }
    }
    std::vector<std::string> gateways;
    section.texts("gateways", gateways);
    for (const std::string& text : gateways) {
        if (const auto ip = shard::parse_address(text)) {
            out.network.gateways.push_back(*ip);
        } else {
            section.error("gateways", "\"" + text + "\" is not an IP address; write it as 192.0.2.254 or fe80::1");
        }
    }
    net::interface_settings whole = out.network;
    whole.mac = out.mac.value_or(net::mac_address{0x02});
    if (const auto fault = net::fault_of(whole)) {
        section.error("", *fault);
    }
}

}  // namespace postern::edge
