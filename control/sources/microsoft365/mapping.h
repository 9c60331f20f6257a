// What a user or group of a tenant asserts: the rules of directories.md, "Attributes" and "Microsoft Graph".
#pragma once

#include <cstdint>

#include "control/sources/fetch.h"
#include "control/sources/microsoft365/page.h"
#include "control/sources/microsoft365/settings.h"

namespace postern::sources::microsoft365 {

struct mapped {
    enum class verdict : std::uint8_t {
        entry,
        no_address,  ///< none that can be used, or a group that takes no mail
        excluded,    ///< by a pattern
        disabled,    ///< by choice
        guest,
    };
    mapped::verdict verdict = mapped::verdict::entry;
    directory_entry entry;         ///< `identity` is set for every verdict
    std::uint64_t unreadable = 0;  ///< values that stand for an address and are none
};
/// `from` is whole and not removed.
mapped map(const tenant_settings& settings, const directory_object& from, collection of);

}  // namespace postern::sources::microsoft365
