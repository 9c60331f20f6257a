// Any text as an object's attributes (lines "name=value"), its first line as a filter, a pattern and a DN: mapped to an
// entry without a crash, and an entry has an identity and an address.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "control/sources/glob.h"
#include "control/sources/ldap/attributes.h"
#include "control/sources/text.h"

namespace {

void require(bool what) {
    if (!what) {
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace postern::sources::ldap;
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    const std::string_view first = rest.substr(0, rest.find('\n'));
    object one;
    one.dn = first;
    while (!rest.empty()) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(line.size() < rest.size() ? line.size() + 1 : line.size());
        const std::size_t equals = line.find('=');
        const auto description = parse_description(line.substr(0, equals));
        if (description && equals != std::string_view::npos) {
            one.add(*description, {std::string(line.substr(equals + 1))});
        }
    }
    ldap_settings settings;
    settings.exclude = {std::string(first)};
    settings.exclude_disabled = true;
    const mapped found = entry_mapper(settings).map(one);
    require(found.verdict != mapped::verdict::entry || (!found.entry.identity.empty() && !found.entry.address.empty()));
    for (const std::string& each : filter_attributes(first)) {
        require(!each.empty());
    }
    if (check_filter(first)) {
        require(first.ends_with(')'));
    }
    require(is_within(first, first));
    postern::sources::glob_match(first, one.dn);
    require(postern::sources::one_line(first).size() <= 200);
    return 0;
}
