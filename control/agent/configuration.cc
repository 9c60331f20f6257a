#include "control/agent/configuration.h"

#include <sys/stat.h>

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/url/parse.hpp>
#include <filesystem>

#include "board/process/files.h"
#include "board/process/settings.h"

namespace postern::agent {
namespace {

using process::settings_section;

constexpr std::size_t longest_file = 1U << 20U;
constexpr std::size_t longest_secret = 64U << 10U;

std::string absolute(const std::string& path, const std::string& folder) {
    return path.empty() ? path : (std::filesystem::path(folder) / path).lexically_normal().string();
}

bool is_loopback(std::string_view host) {
    return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

/// The content of the file that `key` names; "" without it.
std::string file_of(settings_section& section, std::string_view key, const std::string& folder, bool secret) {
    std::string path;
    section.text(key, path);
    if (path.empty()) {
        return {};
    }
    path = absolute(path, folder);
    auto read = secret ? read_secret(path) : process::read_file(path, longest_file);
    if (!read) {
        section.error(key, read.error());
        return {};
    }
    return *std::move(read);
}

void read_server(settings_section section, server_settings& out, const std::string& folder) {
    section.text("url", out.url);
    const auto url = boost::urls::parse_uri(out.url);
    if (!url || (url->scheme() != "https" && url->scheme() != "http") || url->host().empty() || url->has_userinfo() ||
        url->has_query() || url->has_fragment() || (!url->path().empty() && url->path() != "/")) {
        section.error("url", "it is not the URL of a Postern; write it as \"https://postern.example.com:8025\"");
    } else if (url->scheme() == "http" && !is_loopback(url->encoded_host())) {
        section.error("url", "the list and the token would go over the network in clear text; write https://");
    } else {
        out.host = url->encoded_host();
        out.url = std::string(url->scheme()) + "://" + std::string(url->encoded_host_and_port());
        out.https.clear = url->scheme() == "http";
    }
    section.text("source", out.source);
    if (out.source.empty()) {
        section.error("source", "it is missing; write the push source's name, as \"push:head-office\"");
    }
    section.text("token_file", out.token_file);
    out.token_file = absolute(out.token_file, folder);
    if (out.token_file.empty()) {
        section.error("token_file", "it is missing; write the file with the token of Postern's API");
    } else if (const auto token = read_secret(out.token_file); !token) {
        section.error("token_file", token.error());
    }
    out.https.ca_certificates = file_of(section, "ca_file", folder, false);
    section.text("proxy", out.https.proxy);
    if (!out.https.proxy.empty() && !out.https.proxy.starts_with("http://") &&
        !out.https.proxy.starts_with("https://")) {
        section.error("proxy", "it is not http://HOST:PORT or https://HOST:PORT");
    }
    section.text("proxy_user", out.https.proxy_user);
    out.https.proxy_password = file_of(section, "proxy_password_file", folder, true);
    section.number<std::uint32_t>("connect_timeout_s", out.https.connect_timeout_s, 1, 600);
    section.number<std::uint32_t>("answer_timeout_s", out.https.answer_timeout_s, 1, 3600);
    out.https.ca_member = "ca_file";
    out.https.proxy_password_member = "proxy_password_file";
}

constexpr std::array text_members{"preset", "security",       "sign_in",        "bind_name",  "base",
                                  "filter", "mail_attribute", "list_attribute", "list_value", "changes"};
constexpr std::array list_members{"servers", "alias_attributes", "exclude"};
constexpr std::array flag_members{"exclude_disabled", "ignore_referrals"};
constexpr std::array number_members{"connect_timeout_s", "answer_timeout_s", "fetch_timeout_s", "page_size",
                                    "whole_every_hours"};

/// The members are those of an LDAP source (docs/ldap.md); what is long or secret stands in files.
void read_directory(settings_section section, sources::ldap::ldap_settings& out, const std::string& folder) {
    boost::json::object given;
    for (const char* const name : text_members) {
        if (std::string text; section.has(name)) {
            section.text(name, text);
            given[name] = text;
        }
    }
    for (const char* const name : list_members) {
        if (std::vector<std::string> texts; section.has(name)) {
            section.texts(name, texts);
            given[name] = boost::json::array(texts.begin(), texts.end());
        }
    }
    for (const char* const name : flag_members) {
        if (bool flag = false; section.has(name)) {
            section.boolean(name, flag);
            given[name] = flag;
        }
    }
    for (const char* const name : number_members) {
        if (std::uint32_t number = 0; section.has(name)) {
            section.number<std::uint32_t>(name, number, 0, 1'000'000);
            given[name] = number;
        }
    }
    if (std::string authorities = file_of(section, "ca_file", folder, false); !authorities.empty()) {
        given["ca_certificates"] = authorities;
    }
    if (std::string own = file_of(section, "client_certificate_file", folder, false); !own.empty()) {
        given["client_certificate"] = own;
    }
    sources::ldap::ldap_secrets secrets;
    secrets.password = file_of(section, "password_file", folder, true);
    secrets.client_key = file_of(section, "client_key_file", folder, true);
    auto parsed = sources::ldap::parse(given, std::move(secrets));
    if (!parsed) {
        section.error(parsed.error().member, parsed.error().text);
        return;
    }
    out = *std::move(parsed);
}

}  // namespace

tl::expected<std::string, std::string> read_secret(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0) {
        return tl::unexpected(path + " can be read by everybody on this machine; chmod 600 it");
    }
    auto content = process::read_file(path, longest_secret);
    if (!content) {
        return tl::unexpected(content.error());
    }
    content->erase(content->find_last_not_of("\r\n") + 1);
    if (content->empty()) {
        return tl::unexpected(path + " is empty");
    }
    return *std::move(content);
}

tl::expected<configuration, std::vector<std::string>> parse_configuration(std::string_view text,
                                                                          const std::string& file,
                                                                          const std::string& folder) {
    configuration out;
    process::settings_file settings(text, file);
    if (settings.parsed()) {
        settings_section root = settings.root();
        settings_section agent = root.table("agent");
        out.state = "/var/lib/postern-agent";
        agent.text("state", out.state);
        out.state = absolute(out.state, folder);
        auto every = static_cast<std::uint32_t>(out.every.count());
        agent.number<std::uint32_t>("every_minutes", every, 1, 44'640);
        out.every = std::chrono::minutes(every);
        read_server(root.table("postern"), out.server, folder);
        read_directory(root.table("directory"), out.directory, folder);
        constexpr std::array levels{process::level::debug, process::level::info, process::level::warn,
                                    process::level::error};
        std::size_t level = 1;
        root.table("log").choice("level", level, {"debug", "info", "warn", "error"});
        out.log_level = levels.at(level);
    }
    std::vector<std::string> errors = settings.finish();
    if (!errors.empty()) {
        return tl::unexpected(std::move(errors));
    }
    return out;
}

tl::expected<configuration, std::vector<std::string>> read_configuration(const std::string& path) {
    const auto text = process::read_file(path, longest_file);
    if (!text) {
        return tl::unexpected(std::vector<std::string>{text.error() +
                                                       "; write the settings there, or name another file with "
                                                       "--config"});
    }
    std::error_code error;
    const std::filesystem::path whole = std::filesystem::absolute(path, error);
    return parse_configuration(*text, path, whole.parent_path().string());
}

}  // namespace postern::agent
