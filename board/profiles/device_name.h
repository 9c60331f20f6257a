// The port in edge.toml as DPDK names it: "0000:00:04.0", "net_tap0,iface=postern0".
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postern::profiles {

struct device_name {
    std::string name;       ///< without arguments
    std::string arguments;  ///< "iface=postern0,…"; may be empty
    bool pci = false;
    std::string pmd;  ///< of a virtual device: "tap", "af_packet", "virtio"; empty for PCI

    /// The value of an argument "key=value"; nothing if it is not there.
    std::optional<std::string> argument(std::string_view key) const;
};

device_name parse_device(std::string_view text);

}  // namespace postern::profiles
