// What a path under /api/v1/ names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "control/mailroute/description.h"

namespace postern::mailroute {

enum class target_kind : std::uint8_t {
    nothing,         ///< 404
    slash_missing,   ///< it would be something with a slash behind
    not_here,        ///< MailRoute has it, Postern has not: 501
    index,           ///< /api/v1/
    schema,          ///< /api/v1/domain/schema/
    list,            ///< /api/v1/domain/
    object,          ///< /api/v1/domain/12/
    mass_add,        ///< /api/v1/domain/mass_add/
    mass_delete,     ///< /api/v1/domain/mass_delete/
    add_accounts,    ///< /api/v1/domain/12/email_accounts/mass_add/
    add_aliases,     ///< /api/v1/email_account/12/mass_add_aliases/
    users_to_alias,  ///< /api/v1/email_account/12/users_to_alias/
    remote_data,     ///< /api/v1/ldapsync/remote_data/
};

struct target {
    target_kind kind = target_kind::nothing;
    const resource* of = nullptr;
    std::int64_t id = 0;
};

target read_target(std::string_view path);

/// "GET, POST": what may be done there. Precondition: there is something.
std::string_view allowed_methods(target_kind kind);
bool is_allowed(target_kind kind, api::method verb);

}  // namespace postern::mailroute
