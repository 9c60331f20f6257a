#include "control/daemon/ldap_type.h"

#include <functional>
#include <memory>
#include <utility>

#include "control/daemon/directory_type.h"
#include "control/sources/ldap/ldap.h"

namespace postern::daemon {
namespace {

namespace ldap = sources::ldap;

struct ldap_protocol {
    using settings = ldap::ldap_settings;
    sources::egress_policy policy;

    tl::expected<settings, sources::settings_error> read(const sync::source_order& order) const {
        ldap::ldap_secrets secrets;
        return sources::read_secrets(order.secret, "an LDAP source",
                                     {{"password", secrets.password}, {"client_key", secrets.client_key}})
            .and_then([&] { return settings_of(order); })
            .and_then([&](const boost::json::object& from) { return ldap::parse(from, std::move(secrets)); });
    }
    std::unique_ptr<sources::fetcher> fetcher(settings with) const {
        return ldap::make_ldap_fetcher(std::move(with), policy);
    }
    sources::test_report test(const settings& with, const std::atomic<bool>& stop) const {
        return ldap::test_connection(with, stop, policy);
    }
};

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

}  // namespace

sync::source_type ldap_type(process::egress_policy policy) {
    const auto protocol = std::make_shared<const ldap_protocol>(
        ldap_protocol{[policy = std::move(policy)](std::string_view address) { return policy.allows(address); }});
    sync::source_type out = directory_type(protocol);
    out.follows = [protocol](const sync::source_order& order) {
        const auto settings = protocol->read(order);
        return settings && settings->persist;
    };
    out.follow = [protocol](const sync::source_order& order, const std::string& cookie,
                            const std::function<bool()>& changed, const std::atomic<bool>& stop) {
        const auto settings = protocol->read(order);
        if (!settings) {
            sources::fetch_outcome failed;
            failed.step = "settings";
            failed.reason = settings.error().text;
            return failed;
        }
        ear into(changed);
        return ldap::follow(*settings, {cookie}, into, stop, protocol->policy);
    };
    return out;
}

}  // namespace postern::daemon
