#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <charconv>
#include <optional>
#include <system_error>
#include <utility>

#include "control/sources/ldap/settings.h"

namespace postern::sources::ldap {
namespace {

std::string server_text(const server_address& from) {
    const bool six = from.host.find(':') != std::string::npos;
    std::string out = six ? "[" + from.host + "]" : from.host;
    return from.port == 0 ? out : out + ":" + std::to_string(from.port);
}

/// "host", "host:636", "[2001:db8::1]:636", "2001:db8::1"
std::optional<server_address> read_server(std::string_view text) {
    server_address out;
    std::string_view port;
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos) {
            return std::nullopt;
        }
        out.host = text.substr(1, end - 1);
        port = text.substr(end + 1);
    } else {
        const std::size_t colon = text.find(':');
        const bool six = colon != std::string_view::npos && text.find(':', colon + 1) != std::string_view::npos;
        out.host = six ? text : text.substr(0, colon);
        port = six || colon == std::string_view::npos ? std::string_view() : text.substr(colon);
    }
    if (!port.empty()) {
        const auto parsed = std::from_chars(port.data() + 1, port.data() + port.size(), out.port);
        if (port.front() != ':' || parsed.ec != std::errc() || parsed.ptr != port.data() + port.size() ||
            out.port == 0) {
            return std::nullopt;
        }
    }
    return out;
}

}  // namespace

tl::expected<ldap_settings, error> parse(const boost::json::object& from, ldap_secrets secrets) {
    ldap_settings out;
    settings_reader take(from);
    take.secret("password");
    take.secret("client_key");
    take.text("preset", out.preset);
    if (!out.preset.empty()) {
        if (const preset* const found = find_preset(out.preset)) {
            out = found->settings;
        } else {
            take.refuse("preset", "there is no preset \"" + out.preset + "\"");
        }
    }
    std::vector<std::string> servers;
    take.texts("servers", servers);
    if (take.has("servers")) {
        out.servers.clear();  // the preset's
    }
    for (const std::string& each : servers) {
        if (const auto server = read_server(each)) {
            out.servers.push_back(*server);
        } else {
            take.refuse("servers", "\"" + each +
                                       "\" is no server; write a name or an address, as \"dc1.example.com\", "
                                       "\"dc1.example.com:636\" or \"[2001:db8::1]:636\"");
        }
    }
    take.word("security", out.security, {security::start_tls, security::ldaps, security::none});
    take.text("ca_certificates", out.ca_certificates);
    take.word("sign_in", out.sign_in, {sign_in::password, sign_in::certificate, sign_in::anonymous});
    take.text("bind_name", out.bind_name);
    take.text("client_certificate", out.client_certificate);
    take.text("base", out.base);
    take.text("filter", out.filter);
    take.text("mail_attribute", out.mail_attribute);
    take.texts("alias_attributes", out.alias_attributes);
    take.text("list_attribute", out.list_attribute);
    take.text("list_value", out.list_value);
    take.texts("exclude", out.exclude);
    take.flag("exclude_disabled", out.exclude_disabled);
    take.flag("ignore_referrals", out.ignore_referrals);
    take.number("connect_timeout_s", out.connect_timeout_s);
    take.number("answer_timeout_s", out.answer_timeout_s);
    take.number("fetch_timeout_s", out.fetch_timeout_s);
    take.number("page_size", out.page_size);
    take.word("changes", out.changes,
              {change_method::automatic, change_method::none, change_method::dirsync, change_method::usn,
               change_method::syncrepl});
    take.number("whole_every_hours", out.whole_every_hours);
    take.flag("persist", out.persist);
    out.secrets = std::move(secrets);
    if (auto wrong = take.finish()) {
        return tl::unexpected(std::move(*wrong));
    }
    if (auto good = check(out); !good) {
        return tl::unexpected(std::move(good.error()));
    }
    return out;
}

boost::json::object to_json(const ldap_settings& from) {
    boost::json::object out;
    out["preset"] = from.preset;
    boost::json::array servers;
    for (const server_address& each : from.servers) {
        servers.emplace_back(server_text(each));
    }
    out["servers"] = std::move(servers);
    out["security"] = to_string(from.security);
    out["ca_certificates"] = from.ca_certificates;
    out["sign_in"] = to_string(from.sign_in);
    out["bind_name"] = from.bind_name;
    out["client_certificate"] = from.client_certificate;
    out["base"] = from.base;
    out["filter"] = from.filter;
    out["mail_attribute"] = from.mail_attribute;
    out["alias_attributes"] = to_array(from.alias_attributes);
    out["list_attribute"] = from.list_attribute;
    out["list_value"] = from.list_value;
    out["exclude"] = to_array(from.exclude);
    out["exclude_disabled"] = from.exclude_disabled;
    out["ignore_referrals"] = from.ignore_referrals;
    out["connect_timeout_s"] = from.connect_timeout_s;
    out["answer_timeout_s"] = from.answer_timeout_s;
    out["fetch_timeout_s"] = from.fetch_timeout_s;
    out["page_size"] = from.page_size;
    out["changes"] = to_string(from.changes);
    out["whole_every_hours"] = from.whole_every_hours;
    out["persist"] = from.persist;
    return out;
}

}  // namespace postern::sources::ldap
