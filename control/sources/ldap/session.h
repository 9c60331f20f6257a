// What a fetch, following and the test of a connection share. Not part of the folder's public face.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "control/sources/ldap/connection.h"
#include "control/sources/ldap/cookie.h"

namespace postern::sources::ldap {

/// The first server that takes us; the failure names what each said.
result<std::unique_ptr<connection>> connect(const ldap_settings& settings, const egress_policy& policy,
                                            patience limits);
/// The cookie if it is of these settings and its last whole fetch is not too long ago.
std::optional<sync_cookie> usable_cookie(const ldap_settings& settings, const std::string& text);

}  // namespace postern::sources::ldap
