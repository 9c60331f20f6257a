// What an administrator sets of a Microsoft 365 source, and its JSON form.
//
// The secrets stand apart: `to_json` never has them and `parse` refuses them as members, so that they can't be stored
// or shown with the rest. docs/microsoft365.md has the members for people.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "control/sources/microsoft365/links.h"
#include "control/sources/settings_reader.h"

namespace postern::sources::microsoft365 {

/// Where a tenant lives: which hosts sign in and which have the directory.
enum class cloud : std::uint8_t {
    global,         ///< and GCC
    us_government,  ///< GCC High
    us_defense,     ///< DoD
    china,          ///< by 21Vianet
};
std::string_view to_string(cloud which) noexcept;

enum class sign_in : std::uint8_t {
    secret,       ///< client secret (RFC 6749 4.4, 2.3.1)
    certificate,  ///< an assertion signed with a certificate's key (RFC 7523 2.2)
};
std::string_view to_string(sign_in which) noexcept;

/// Shared and room mailboxes are disabled accounts, mostly without a licence, and Graph does not tell what a mailbox
/// is.
enum class disabled_accounts : std::uint8_t {
    take,
    take_unlicensed,  ///< those with a licence (leavers) are left out
    leave_out,
};
std::string_view to_string(disabled_accounts which) noexcept;

struct tenant_secrets {
    std::string client_secret;
    std::string client_key;  ///< PEM, RSA, of `client_certificate`
    std::string proxy_password;
    friend bool operator==(const tenant_secrets&, const tenant_secrets&) = default;
};

struct tenant_settings {
    std::string tenant;     ///< its id or one of its domains
    std::string client_id;  ///< of the registered application
    microsoft365::cloud cloud = cloud::global;
    std::string login_url;  ///< "https://HOST[:PORT]" instead of the cloud's; empty: the cloud's
    std::string graph_url;  ///< the same for Graph
    microsoft365::sign_in sign_in = sign_in::secret;
    std::string client_certificate;     ///< PEM, as uploaded to the application; empty: none
    std::string proxy;                  ///< "http://HOST:PORT" or "https://…"; empty: none
    std::string proxy_user;             ///< its password is a secret
    std::string ca_certificates;        ///< PEM; empty: the system's
    bool groups = true;                 ///< mail-enabled groups too
    bool user_principal_names = false;  ///< take userPrincipalName as an address
    disabled_accounts disabled = disabled_accounts::take;
    std::vector<std::string> exclude;      ///< patterns (glob.h) of addresses, as address_collector has them
    std::uint32_t connect_timeout_s = 10;  ///< of name, TCP and TLS together
    std::uint32_t answer_timeout_s = 60;   ///< of silence
    std::uint32_t fetch_timeout_s = 3600;  ///< of a whole fetch, pauses that Graph asks for among it
    std::uint32_t whole_every_hours = 24;  ///< a whole fetch at least so often; 0: only when it must

    tenant_secrets secrets;  ///< never in JSON
    friend bool operator==(const tenant_settings&, const tenant_settings&) = default;

    origin login() const;
    origin graph() const;
    /// Of the token endpoint, which is also the audience of an assertion.
    std::string token_target() const;
    /// Changes if a setting does that changes what a fetch yields: a cookie of other settings is void.
    std::string fingerprint() const;
};

/// Checks every member; members that are missing have the value above, unknown ones are errors.
tl::expected<tenant_settings, settings_error> parse(const boost::json::object& from, tenant_secrets secrets = {});
boost::json::object to_json(const tenant_settings& from);
/// All that is wrong with settings that were not parsed; the first of it. Secrets only as far as they are there.
settings_check check(const tenant_settings& settings);

}  // namespace postern::sources::microsoft365
