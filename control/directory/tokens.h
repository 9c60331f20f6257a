// API tokens: 256 random bits, shown once, kept as SHA-256 (a slow hash protects guessable secrets; this is none).
#pragma once

#include <optional>

#include "control/directory/scope.h"
#include "control/directory/store.h"

namespace postern::directory {

/// Each may do what the one before may.
enum class role : std::uint8_t {
    viewer = 0,  ///< see everything but secrets
    editor = 1,  ///< change lists, domains and routes
    admin = 2,   ///< organisations and tokens too
};

struct token {
    std::uint64_t id = 0;
    std::string name;  ///< unique among the organisation's living ones
    directory::role role = role::viewer;
    scope_rule scope;
    timestamp created = 0;
    std::string created_by;
    timestamp revoked = 0;  ///< 0: living
};

struct issued_token {
    directory::token token;
    std::string secret;  ///< "pst_" and 43 characters of base64url; can't be had again
};
/// `scope` as `check_scope` takes it.
result<issued_token> issue_token(writer& in, std::string_view name, role role, const scope_rule& scope = {});
result<token> revoke_token(writer& in, std::uint64_t id);
/// The living token with this secret; `not_found` otherwise.
result<token> authenticate(const reader& in, std::string_view secret);
result<token> find_token(const reader& in, std::uint64_t id);
/// Those that reach nothing outside `within`.
result<page<token>> list_tokens(const reader& in, bool with_revoked, const page_request& at, const scope& within = {});
/// True if no living admin token is there that reaches everything: the first start writes one to a 0600 file.
result<bool> needs_first_token(const reader& in);

std::string_view to_string(role role) noexcept;
std::optional<role> parse_role(std::string_view word) noexcept;

}  // namespace postern::directory
