// A domain's mail servers one by one: each host of its inbound server (routes.h) is a thing with an id of its own, as
// the MailRoute-compatible API has them.
//
// The ids are kept by the schema's triggers, whoever changes a domain's inbound server. A change here is one of the
// domain's inbound server: of its own, if no other domain uses it; else the domain gets a copy. Whoever changes hosts
// here has confirmed them: there is no other step in that API.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "control/directory/store.h"

namespace postern::directory {

struct mail_server {
    std::uint64_t id = 0;  ///< stays when host or priority are changed; never used again
    std::uint32_t domain = 0;
    std::string host;  ///< name or address
    std::uint16_t port = 25;
    std::uint16_t priority = 10;
    bool use_sasl = false;  ///< for sign-in over TLS, which the relay does not do yet
    std::string sasl_login;
    std::vector<std::byte> sealed_password;  ///< as the caller sealed it; empty: none
};
result<mail_server> find_mail_server(const reader& in, std::uint64_t id);

struct new_mail_server {
    std::uint32_t domain = 0;
    std::string host;
    std::uint16_t port = 25;
    std::uint16_t priority = 10;
};
result<mail_server> add_mail_server(writer& in, const new_mail_server& input);

/// What is set is changed, the rest stays.
struct mail_server_change {
    std::optional<std::string> host;
    std::optional<std::uint16_t> priority;
    std::optional<bool> use_sasl;
    std::optional<std::string> sasl_login;
    std::optional<std::vector<std::byte>> sealed_password;
};
result<mail_server> change_mail_server(writer& in, std::uint64_t id, const mail_server_change& change);
/// The last one goes with the inbound server; the domain has none then.
result<void> remove_mail_server(writer& in, std::uint64_t id);

/// The port of the domain's mail servers; of one that has none yet, that which was set before (25 unless it was).
result<std::uint16_t> find_delivery_port(const reader& in, std::uint32_t domain);
/// Another port for all of the domain's.
result<void> set_delivery_port(writer& in, std::uint32_t domain, std::uint16_t port);

}  // namespace postern::directory
