#include "control/sources/microsoft365/settings.h"

#include <algorithm>
#include <array>

#include "control/sources/fingerprint.h"
#include "control/sources/microsoft365/assertion.h"
#include "control/sources/text.h"

namespace postern::sources::microsoft365 {
namespace {

constexpr std::size_t longest_name = 255;

struct cloud_hosts {
    microsoft365::cloud cloud;
    std::string_view name;
    std::string_view login;
    std::string_view graph;
};
constexpr std::array<cloud_hosts, 4> clouds = {
    {{cloud::global, "global", "login.microsoftonline.com", "graph.microsoft.com"},
     {cloud::us_government, "us_government", "login.microsoftonline.us", "graph.microsoft.us"},
     {cloud::us_defense, "us_defense", "login.microsoftonline.us", "dod-graph.microsoft.us"},
     {cloud::china, "china", "login.chinacloudapi.cn", "microsoftgraph.chinacloudapi.cn"}}};

const cloud_hosts& hosts_of(cloud which) {
    return *std::find_if(clouds.begin(), clouds.end(), [&](const cloud_hosts& each) { return each.cloud == which; });
}

bool is_plain(std::string_view text) {
    return !text.empty() && text.size() <= longest_name && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    });
}

settings_check check_names(const tenant_settings& settings) {
    if (!is_plain(settings.tenant)) {
        return wrong_setting("tenant", "\"" + settings.tenant +
                                           "\" is no tenant; give its id (Directory ID), as "
                                           "\"3f2504e0-4f89-11d3-9a0c-0305e82c3301\", or one of its domains");
    }
    if (!is_plain(settings.client_id)) {
        return wrong_setting("client_id", "\"" + settings.client_id +
                                              "\" is no application's id; copy \"Application (client) ID\" from the "
                                              "application's registration");
    }
    return {};
}

settings_check check_hosts(const tenant_settings& settings) {
    for (const auto& [member, url] : {std::pair<const char*, const std::string&>("login_url", settings.login_url),
                                      {"graph_url", settings.graph_url}}) {
        if (!url.empty() && !read_origin(url)) {
            return wrong_setting(member, "\"" + url +
                                             "\" is no base URL; write it as \"https://graph.microsoft.us\", without a "
                                             "path");
        }
    }
    if (!settings.proxy.empty()) {
        const bool plain = same(settings.proxy.substr(0, 7), "http://");
        if (!read_origin(plain ? "https://" + settings.proxy.substr(7) : settings.proxy)) {
            return wrong_setting("proxy", "\"" + settings.proxy +
                                              "\" is no proxy; write it as \"http://proxy.example.com:3128\", its user "
                                              "as proxy_user");
        }
    }
    if (settings.proxy_user.size() > longest_name || has_control_character(settings.proxy_user) ||
        settings.proxy_user.find(':') != std::string::npos) {
        return wrong_setting("proxy_user", "it is longer than 255 octets, or has a colon or control characters");
    }
    return check_certificates("ca_certificates", settings.ca_certificates);
}

settings_check check_sign_in(const tenant_settings& settings) {
    if (settings.sign_in == sign_in::secret) {
        return check_certificates("client_certificate", settings.client_certificate);
    }
    if (settings.client_certificate.empty()) {
        return wrong_setting("client_certificate",
                             "signing in by certificate needs the certificate that was uploaded to the application");
    }
    return check_certificates("client_certificate", settings.client_certificate).and_then([&] {
        return check_key_pair(settings.client_certificate, settings.secrets.client_key);
    });
}

settings_check check_bounds(const tenant_settings& settings) {
    const std::array<number_bounds, 4> all = {{{"connect_timeout_s", settings.connect_timeout_s, 1, 300},
                                               {"answer_timeout_s", settings.answer_timeout_s, 1, 3600},
                                               {"fetch_timeout_s", settings.fetch_timeout_s, 1, 86'400},
                                               {"whole_every_hours", settings.whole_every_hours, 0, 8760}}};
    return check_numbers(all);
}

}  // namespace

std::string_view to_string(cloud which) noexcept {
    return hosts_of(which).name;
}

std::string_view to_string(sign_in which) noexcept {
    switch (which) {
        case sign_in::secret:
            return "secret";
        case sign_in::certificate:
            return "certificate";
    }
    return "";
}

std::string_view to_string(disabled_accounts which) noexcept {
    switch (which) {
        case disabled_accounts::take:
            return "take";
        case disabled_accounts::take_unlicensed:
            return "take_unlicensed";
        case disabled_accounts::leave_out:
            return "leave_out";
    }
    return "";
}

origin tenant_settings::login() const {
    return read_origin(login_url).value_or(origin{std::string(hosts_of(cloud).login)});
}

origin tenant_settings::graph() const {
    return read_origin(graph_url).value_or(origin{std::string(hosts_of(cloud).graph)});
}

std::string tenant_settings::token_target() const {
    return "/" + tenant + "/oauth2/v2.0/token";
}

std::string tenant_settings::fingerprint() const {
    fingerprint_maker all;
    all.add(folded(tenant));
    all.add(folded(client_id));
    all.add(graph().url());
    all.add(groups ? "groups" : "");
    all.add(user_principal_names ? "names" : "");
    all.add(to_string(disabled));
    all.add(exclude);
    return all.text();
}

settings_check check(const tenant_settings& settings) {
    return check_names(settings)
        .and_then([&] { return check_hosts(settings); })
        .and_then([&] { return check_sign_in(settings); })
        .and_then([&] { return check_patterns("exclude", settings.exclude); })
        .and_then([&] { return check_bounds(settings); });
}

}  // namespace postern::sources::microsoft365
