#include "board/profiles/device_name.h"

#include <algorithm>

#include "board/machine/machine.h"

namespace postern::profiles {

std::optional<std::string> device_name::argument(std::string_view key) const {
    for (const std::string_view part : machine::pieces(arguments, ",")) {
        if (part.size() > key.size() && part.starts_with(key) && part[key.size()] == '=') {
            return std::string(part.substr(key.size() + 1));
        }
    }
    return std::nullopt;
}

device_name parse_device(std::string_view text) {
    device_name out;
    const std::size_t comma = std::min(text.find(','), text.size());
    out.name = text.substr(0, comma);
    out.arguments = text.substr(std::min(comma + 1, text.size()));
    out.pci = machine::is_pci_address(out.name);
    if (!out.pci) {
        // "net_tap0" is the driver net_tap's device 0.
        std::string_view driver = out.name;
        driver = driver.substr(0, driver.find_last_not_of("0123456789") + 1);
        driver.remove_prefix(driver.starts_with("net_") ? 4 : 0);
        out.pmd = driver == "virtio_user" ? "virtio" : driver;
    }
    return out;
}

}  // namespace postern::profiles
