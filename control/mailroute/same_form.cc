#include "control/mailroute/same_form.h"

#include "smtp/recipients/address.h"

namespace postern::mailroute {

std::string same_domain(std::string_view name) {
    recipients::normal_address parsed;
    return std::string(recipients::parse_domain(name, parsed) ? parsed.domain() : name);
}

std::string same_local_part(std::string_view local) {
    recipients::normal_address parsed;
    const std::string address = std::string(local) + "@example.com";
    return std::string(recipients::parse_address(address, {true, false}, parsed) ? parsed.local() : local);
}

}  // namespace postern::mailroute
