// Claims: an organisation says that a domain is its own. The domain is served once DNS says so, too (a TXT record with
// the claim's challenge), or the operator grants it. Any number of organisations may claim a name; one gets it.
#pragma once

#include "control/directory/domains.h"
#include "control/directory/store.h"

namespace postern::directory {

struct domain_claim {
    std::uint32_t id = 0;
    std::uint32_t organisation = 0;
    std::string name;          ///< of the domain, in normal form
    std::uint32_t target = 0;  ///< it is to be an alias of this domain; 0: a domain
    std::string challenge;     ///< 32 hexadecimal digits, random
    timestamp created = 0;
    std::string created_by;
    timestamp checked = 0;  ///< DNS was asked last; 0: never
    std::string finding;    ///< what it said then, in words

    std::string record_name() const { return "_postern." + name; }
    std::string record_value() const { return "postern=" + challenge; }
};

struct new_claim {
    std::string name;
    std::uint32_t organisation = 1;
    std::uint32_t target = 0;  ///< a domain of the organisation; 0: none
};
/// Refused (`conflict`) for a domain that the organisation has or claims already. Whether it is served for another is
/// not told.
result<domain_claim> add_claim(writer& in, const new_claim& input);
result<void> remove_claim(writer& in, std::uint32_t id);
/// DNS was asked, and does not say so.
result<domain_claim> record_check(writer& in, std::uint32_t id, std::string_view finding);

enum class proof : std::uint8_t { dns, granted };
/// The claim becomes a domain (in `observe`, without addresses) or a domain alias. `conflict` if the name is served
/// here meanwhile, for whichever organisation.
result<domain> accept_claim(writer& in, std::uint32_t id, proof by);

result<domain_claim> find_claim(const reader& in, std::uint32_t id);
struct claim_filter {
    std::uint32_t organisation = 0;  ///< 0: any
    const scope* within = nullptr;   ///< null: everything
};
/// By id.
result<page<domain_claim>> list_claims(const reader& in, const claim_filter& filter, const page_request& at);

}  // namespace postern::directory
