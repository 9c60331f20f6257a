// What an administrator sets of an LDAP source, its JSON form and the presets of well-known directories.
//
// The secrets stand apart: `to_json` never has them and `parse` refuses them as members, so that they can't be stored
// or shown with the rest. docs/ldap.md has the members for people.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "control/sources/settings_reader.h"

namespace postern::sources::ldap {

enum class security : std::uint8_t {
    start_tls,  ///< port 389, TLS before the sign-in (RFC 4513 3)
    ldaps,      ///< port 636, TLS from the first octet
    none,       ///< in clear text, password too: only by choice
};
std::string_view to_string(security which) noexcept;

enum class sign_in : std::uint8_t {
    password,     ///< simple bind (RFC 4513 5.1.3)
    certificate,  ///< SASL EXTERNAL: the client certificate alone (RFC 4513 5.2.3)
    anonymous,
};
std::string_view to_string(sign_in which) noexcept;

enum class change_method : std::uint8_t {
    automatic,  ///< the best that the server announces
    none,       ///< whole every time
    dirsync,    ///< Active Directory: control 1.2.840.113556.1.4.841
    usn,        ///< Active Directory: uSNChanged of one domain controller
    syncrepl,   ///< RFC 4533
};
std::string_view to_string(change_method which) noexcept;

struct server_address {
    std::string host;        ///< name or address, without brackets
    std::uint16_t port = 0;  ///< 0: 389, or 636 for LDAPS
    friend bool operator==(const server_address&, const server_address&) = default;
};

struct ldap_secrets {
    std::string password;
    std::string client_key;  ///< PEM, of `client_certificate`
    friend bool operator==(const ldap_secrets&, const ldap_secrets&) = default;
};

struct ldap_settings {
    std::string preset;                   ///< what it began from, for people; changes nothing
    std::vector<server_address> servers;  ///< tried in order
    ldap::security security = ldap::security::start_tls;
    std::string ca_certificates;  ///< PEM; empty: the system's
    ldap::sign_in sign_in = ldap::sign_in::password;
    std::string bind_name;           ///< DN, or UPN for Active Directory
    std::string client_certificate;  ///< PEM, its chain behind it; empty: none
    std::string base;                ///< DN
    std::string filter = "(mail=*)";
    std::string mail_attribute = "mail";
    std::vector<std::string> alias_attributes{"proxyAddresses"};
    std::string list_attribute = "objectClass";  ///< an object is a distribution list if this …
    std::string list_value = "group";            ///< … has a value that matches this pattern; empty: none is
    /// Patterns (glob.h) of addresses: a primary one that matches leaves out the object, an alias itself alone. A
    /// pattern with `=` is matched against the DN.
    std::vector<std::string> exclude;
    /// Leaves out accounts that are disabled (AD's bit 2, nsAccountLock, zimbraAccountStatus), unless Exchange says
    /// what the object is.
    bool exclude_disabled = false;
    /// Parts of the tree that another server holds are left out knowingly. False: a fetch that meets one is partial.
    bool ignore_referrals = false;
    std::uint32_t connect_timeout_s = 10;  ///< of each: name, TCP, TLS, bind
    std::uint32_t answer_timeout_s = 60;   ///< without any answer to a search
    std::uint32_t fetch_timeout_s = 3600;  ///< of a whole fetch
    std::uint32_t page_size = 500;         ///< 1 to 1000
    change_method changes = change_method::automatic;
    std::uint32_t whole_every_hours = 24;  ///< a whole fetch at least so often; 0: only when it must
    bool persist = false;                  ///< stay connected where the server can (`follow`)

    ldap_secrets secrets;  ///< never in JSON
    friend bool operator==(const ldap_settings&, const ldap_settings&) = default;

    std::uint16_t port_of(const server_address& server) const noexcept;
    /// "ldaps://dc1.example.com:636"
    std::string url_of(const server_address& server) const;
    /// Changes if a setting does that changes what a fetch yields: a cookie of other settings is void.
    std::string fingerprint() const;
};

using error = settings_error;

/// Checks every member; members that are missing have the value above, unknown ones are errors.
tl::expected<ldap_settings, error> parse(const boost::json::object& from, ldap_secrets secrets = {});
boost::json::object to_json(const ldap_settings& from);
/// All that is wrong with settings that were not parsed; the first of it.
tl::expected<void, error> check(const ldap_settings& settings);

struct preset {
    std::string_view name;   ///< "active-directory"
    std::string_view title;  ///< "Active Directory"
    ldap_settings settings;  ///< without servers, base and names
};
/// Active Directory, Exchange, OpenLDAP, FreeIPA, 389 Directory Server, Zimbra, Google Secure LDAP.
std::span<const preset> presets();
const preset* find_preset(std::string_view name);

}  // namespace postern::sources::ldap
