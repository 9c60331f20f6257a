#include "control/api/identity.h"

#include "control/api/service.h"
#include "control/directory/scope.h"
#include "control/directory/tokens.h"

namespace postern::api {
namespace {

role to_role(directory::role of) {
    switch (of) {
        case directory::role::admin:
            return role::admin;
        case directory::role::editor:
            return role::operator_;
        case directory::role::viewer:
            return role::reader;
    }
    return role::reader;
}

}  // namespace

answer<caller> identify(const directory::reader& in, std::string_view secret, std::optional<std::string_view> name) {
    const auto token = directory::authenticate(in, secret);
    if (!token && token.error().kind != directory::error_kind::not_found) {
        return failure(token);
    }
    if (!token || (name && *name != token->name)) {
        return tl::unexpected(unauthorized("The token is not known, or was revoked."));
    }
    const auto reached = directory::resolve_scope(in, token->scope);
    if (!reached) {
        return failure(reached);
    }
    caller out{to_role(token->role), static_cast<std::int64_t>(token->id), token->name, nullptr};
    if (!reached->is_everything()) {
        out.name = std::to_string(token->scope.organisation) + "/" + token->name;
        out.scope = std::make_shared<const directory::scope>(*reached);
    }
    return out;
}

}  // namespace postern::api
