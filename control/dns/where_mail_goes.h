// Whether a domain's MX records lead to our edges.
#pragma once

#include <string>
#include <vector>

#include "control/dns/resolver.h"

namespace postern::dns {

/// Where mail for the served domains is to go.
struct own_edges {
    std::vector<std::string> names;      ///< host names, in lower case
    std::vector<std::string> addresses;  ///< as text in the usual form
};

struct mx_host {
    mx_record record;
    std::vector<std::string> addresses;
    bool here = false;    ///< its name is one of ours, or all its addresses are
    std::string problem;  ///< why its addresses are not known; empty otherwise
};

enum class mx_verdict : std::uint8_t {
    here,       ///< every host is one of our edges
    partly,     ///< some are: mail can go past us
    elsewhere,  ///< none is
    none,       ///< there is no MX record (or the domain says that it takes no mail)
    unknown,    ///< DNS could not be asked
};
std::string_view to_string(mx_verdict of) noexcept;

struct mx_finding {
    mx_verdict verdict = mx_verdict::unknown;
    std::string text;  ///< in words, with what to do
    std::vector<mx_host> hosts;
};

mx_finding where_mail_goes(const resolver& with, const own_edges& own, const std::string& domain);

}  // namespace postern::dns
