#include "control/daemon/microsoft365_type.h"

#include <memory>
#include <utility>

#include "control/daemon/directory_type.h"
#include "control/sources/microsoft365/microsoft365.h"

namespace postern::daemon {
namespace {

namespace microsoft365 = sources::microsoft365;

struct graph_protocol {
    using settings = microsoft365::tenant_settings;
    sources::egress_policy policy;

    tl::expected<settings, sources::settings_error> read(const sync::source_order& order) const {
        microsoft365::tenant_secrets secrets;
        return sources::read_secrets(order.secret, "a Microsoft 365 source",
                                     {{"client_secret", secrets.client_secret},
                                      {"client_key", secrets.client_key},
                                      {"proxy_password", secrets.proxy_password}})
            .and_then([&] { return settings_of(order); })
            .and_then([&](const boost::json::object& from) { return microsoft365::parse(from, std::move(secrets)); });
    }
    std::unique_ptr<sources::fetcher> fetcher(settings with) const {
        return microsoft365::make_fetcher(std::move(with), policy);
    }
    sources::test_report test(const settings& with, const std::atomic<bool>& stop) const {
        return microsoft365::test_connection(with, stop, policy);
    }
};

}  // namespace

sync::source_type microsoft365_type(process::egress_policy policy) {
    return directory_type(std::make_shared<const graph_protocol>(
        graph_protocol{[policy = std::move(policy)](std::string_view address) { return policy.allows(address); }}));
}

}  // namespace postern::daemon
