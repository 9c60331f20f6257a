// Rows of domains and routes as objects. Private to this folder.
#pragma once

#include <vector>

#include "control/directory/connection.h"
#include "control/directory/domains.h"

namespace postern::directory {

/// The columns that `read_domain` takes, from `domain d`.
constexpr std::string_view domain_columns =
    "SELECT d.id, d.organisation, d.name, d.target, d.route, d.mode, d.mode_since, d.mode_until, d.subaddress,"
    " d.grace_defers, d.abuse_always, d.strip_prvs, d.accept_srs, d.on_hold, d.trusted, d.created, d.proven FROM "
    "domain d";
domain read_domain(const statement& row);

std::vector<recipients::mail_host> route_hosts(const reader& in, std::uint32_t route);

/// Networks as the store keeps them: `ADDRESS/LENGTH` in IPv6 form, separated by spaces.
std::string networks_text(const std::vector<recipients::network>& networks);
std::vector<recipients::network> networks_of(std::string_view text);

}  // namespace postern::directory
