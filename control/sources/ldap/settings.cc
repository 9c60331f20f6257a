#include "control/sources/ldap/settings.h"

#include <algorithm>
#include <array>

#include "control/sources/fingerprint.h"
#include "control/sources/ldap/attributes.h"
#include "control/sources/text.h"

namespace postern::sources::ldap {
namespace {

constexpr std::size_t most_servers = 8;
constexpr std::size_t most_names = 64;  ///< alias attributes
constexpr std::size_t longest = 1024;   ///< octets of a DN
constexpr std::size_t longest_filter = 8192;

bool is_attribute_name(std::string_view name) {
    return !name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    });
}

settings_check check_servers(const ldap_settings& settings) {
    if (settings.servers.empty() || settings.servers.size() > most_servers) {
        return wrong_setting("servers", "there are " + std::to_string(settings.servers.size()) +
                                            " servers; give 1 to " + std::to_string(most_servers) +
                                            ", in the order in which they are to be tried");
    }
    for (const server_address& each : settings.servers) {
        const bool plain = std::all_of(each.host.begin(), each.host.end(), [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                   c == ':' || c == '_';
        });
        if (each.host.empty() || each.host.size() > 255 || !plain) {
            return wrong_setting("servers", "\"" + each.host +
                                                "\" is no host; write a name or an address, as \"dc1.example.com\", "
                                                "\"dc1.example.com:636\" or \"[2001:db8::1]:636\"");
        }
    }
    return {};
}

settings_check check_sign_in(const ldap_settings& settings) {
    for (const auto& [member, text] : {std::pair<const char*, const std::string&>("bind_name", settings.bind_name),
                                       {"base", settings.base},
                                       {"list_value", settings.list_value}}) {
        if (text.size() > longest || has_control_character(text)) {
            return wrong_setting(member, std::string("it is longer than ") + std::to_string(longest) +
                                             " octets or has control characters");
        }
    }
    if (settings.sign_in == sign_in::password && settings.bind_name.empty()) {
        return wrong_setting("bind_name",
                             "signing in by password needs a name: a DN, or user@domain for Active Directory");
    }
    if (settings.sign_in == sign_in::certificate &&
        (settings.client_certificate.empty() || settings.security == security::none)) {
        return wrong_setting("client_certificate",
                             "signing in by certificate needs a client certificate and \"starttls\" or \"ldaps\"");
    }
    return check_certificates("ca_certificates", settings.ca_certificates).and_then([&] {
        return check_certificates("client_certificate", settings.client_certificate);
    });
}

settings_check check_search(const ldap_settings& settings) {
    if (settings.base.find('=') == std::string::npos) {
        return wrong_setting("base", "\"" + settings.base + "\" is no DN; write it as \"DC=example,DC=com\"");
    }
    if (settings.filter.size() > longest_filter || has_control_character(settings.filter)) {
        return wrong_setting("filter", "the filter is longer than " + std::to_string(longest_filter) +
                                           " octets or has control characters");
    }
    if (auto good = check_filter(settings.filter); !good) {
        return wrong_setting("filter", good.error());
    }
    if (!is_attribute_name(settings.mail_attribute)) {
        return wrong_setting("mail_attribute",
                             "\"" + settings.mail_attribute + "\" is no attribute; \"mail\" is usual");
    }
    if (settings.alias_attributes.size() > most_names) {
        return wrong_setting("alias_attributes", "there may be " + std::to_string(most_names));
    }
    for (const std::string& each : settings.alias_attributes) {
        if (!is_attribute_name(each)) {
            return wrong_setting("alias_attributes", "\"" + each + "\" is no attribute; \"proxyAddresses\" is one");
        }
    }
    if (!settings.list_value.empty() && !is_attribute_name(settings.list_attribute)) {
        return wrong_setting("list_attribute",
                             "\"" + settings.list_attribute + "\" is no attribute; \"objectClass\" is usual");
    }
    return check_patterns("exclude", settings.exclude);
}

settings_check check_bounds(const ldap_settings& settings) {
    const std::array<number_bounds, 5> all = {{{"connect_timeout_s", settings.connect_timeout_s, 1, 300},
                                               {"answer_timeout_s", settings.answer_timeout_s, 1, 3600},
                                               {"fetch_timeout_s", settings.fetch_timeout_s, 1, 86'400},
                                               {"page_size", settings.page_size, 1, 1000},
                                               {"whole_every_hours", settings.whole_every_hours, 0, 8760}}};
    return check_numbers(all);
}

}  // namespace

std::string_view to_string(security which) noexcept {
    switch (which) {
        case security::start_tls:
            return "starttls";
        case security::ldaps:
            return "ldaps";
        case security::none:
            return "none";
    }
    return "";
}

std::string_view to_string(sign_in which) noexcept {
    switch (which) {
        case sign_in::password:
            return "password";
        case sign_in::certificate:
            return "certificate";
        case sign_in::anonymous:
            return "anonymous";
    }
    return "";
}

std::string_view to_string(change_method which) noexcept {
    switch (which) {
        case change_method::automatic:
            return "auto";
        case change_method::none:
            return "none";
        case change_method::dirsync:
            return "dirsync";
        case change_method::usn:
            return "usn";
        case change_method::syncrepl:
            return "syncrepl";
    }
    return "";
}

std::uint16_t ldap_settings::port_of(const server_address& server) const noexcept {
    if (server.port != 0) {
        return server.port;
    }
    return security == ldap::security::ldaps ? 636 : 389;
}

std::string ldap_settings::url_of(const server_address& server) const {
    const bool six = server.host.find(':') != std::string::npos;
    return std::string(security == ldap::security::ldaps ? "ldaps://" : "ldap://") + (six ? "[" : "") + server.host +
           (six ? "]" : "") + ":" + std::to_string(port_of(server));
}

std::string ldap_settings::fingerprint() const {
    fingerprint_maker all;
    for (const server_address& each : servers) {
        all.add(each.host);
        all.add(std::to_string(port_of(each)));
    }
    all.add("/");
    all.add(to_string(sign_in));
    all.add(bind_name);
    all.add(client_certificate);
    all.add(base);
    all.add(filter);
    all.add(mail_attribute);
    all.add(alias_attributes);
    all.add(list_attribute);
    all.add(list_value);
    all.add(exclude);
    all.add(exclude_disabled ? "/disabled" : "/");
    all.add(ignore_referrals ? "referrals" : "");
    return all.text();
}

settings_check check(const ldap_settings& settings) {
    return check_servers(settings)
        .and_then([&] { return check_sign_in(settings); })
        .and_then([&] { return check_search(settings); })
        .and_then([&] { return check_bounds(settings); });
}

}  // namespace postern::sources::ldap
