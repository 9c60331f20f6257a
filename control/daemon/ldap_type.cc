#include "control/daemon/ldap_type.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <memory>
#include <utility>

#include "control/sources/ldap/ldap.h"

namespace postern::daemon {
namespace {

namespace ldap = sources::ldap;
using directory::error_kind;

constexpr std::uint32_t longest_test_s = 50;

tl::expected<ldap::ldap_secrets, ldap::error> parse_secrets(const std::string& text) {
    ldap::ldap_secrets out;
    if (text.empty()) {
        return out;
    }
    boost::json::error_code failed;
    const boost::json::value parsed = boost::json::parse(text, failed);
    const auto refuse = [](std::string what) {
        return tl::unexpected<ldap::error>(ldap::error{"secrets", std::move(what)});
    };
    if (failed || !parsed.is_object()) {
        return refuse("the secrets are no JSON object");
    }
    for (const auto& member : parsed.get_object()) {
        if (!member.value().is_string()) {
            return refuse("a secret is a text");
        }
        const std::string value(member.value().get_string());
        if (member.key() == "password") {
            out.password = value;
        } else if (member.key() == "client_key") {
            out.client_key = value;
        } else {
            return refuse("an LDAP source has no secret \"" + std::string(member.key()) +
                          "\"; there are password and client_key");
        }
    }
    return out;
}

tl::expected<ldap::ldap_settings, ldap::error> read(const sync::source_order& order) {
    auto secrets = parse_secrets(order.secret);
    if (!secrets) {
        return tl::unexpected(std::move(secrets.error()));
    }
    boost::json::error_code failed;
    const boost::json::value parsed = boost::json::parse(order.settings, failed);
    if (failed || !parsed.is_object()) {
        return tl::unexpected(ldap::error{"", "the settings are no JSON object"});
    }
    return ldap::parse(parsed.get_object(), *std::move(secrets));
}

/// Counts what is heard, and tells of each batch that is not empty.
class ear final : public ldap::follow_sink {
public:
    explicit ear(const std::function<bool()>& changed) : _changed(changed) {}
    bool entry(sources::directory_entry&& /*one*/) override { return note(); }
    bool gone(std::string_view /*identity*/) override { return note(); }
    bool restart_whole() override { return note(); }
    bool batch(std::string_view /*cookie*/, bool /*whole*/) override {
        return !std::exchange(_heard, false) || _changed();
    }

private:
    bool note() {
        _heard = true;
        return true;
    }
    const std::function<bool()>& _changed;
    bool _heard = false;
};

directory::result<void> check(const sync::source_order& order) {
    const auto settings = read(order);
    if (settings) {
        return {};
    }
    const std::string& member = settings.error().member;
    return directory::fail(error_kind::invalid, settings.error().text,
                           member == "secrets" ? member : "settings" + (member.empty() ? "" : "/" + member));
}

}  // namespace

sync::source_type ldap_type(process::egress_policy policy) {
    const auto shared = std::make_shared<const process::egress_policy>(std::move(policy));
    const sources::egress_policy allowed = [shared](std::string_view address) { return shared->allows(address); };
    sync::source_type out;
    out.check = check;
    out.make =
        [allowed](const sync::source_order& order) -> tl::expected<std::unique_ptr<sources::fetcher>, std::string> {
        auto settings = read(order);
        if (!settings) {
            return tl::unexpected(settings.error().member + ": " + settings.error().text);
        }
        return ldap::make_ldap_fetcher(*std::move(settings), allowed);
    };
    out.follows = [](const sync::source_order& order) {
        const auto settings = read(order);
        return settings && settings->persist;
    };
    out.follow = [allowed](const sync::source_order& order, const std::string& cookie,
                           const std::function<bool()>& changed, const std::atomic<bool>& stop) {
        const auto settings = read(order);
        if (!settings) {
            sources::fetch_outcome out;
            out.step = "settings";
            out.reason = settings.error().text;
            return out;
        }
        ear into(changed);
        return ldap::follow(*settings, {cookie}, into, stop, allowed);
    };
    out.test = [allowed](const sync::source_order& order, const std::atomic<bool>& stop) {
        auto settings = read(order);
        if (!settings) {
            sources::test_report out;
            out.steps.push_back({"", "settings", sources::test_step::outcome::bad, settings.error().text});
            return out;
        }
        settings->fetch_timeout_s = std::min(settings->fetch_timeout_s, longest_test_s);
        return ldap::test_connection(*settings, stop, allowed);
    };
    return out;
}

}  // namespace postern::daemon
