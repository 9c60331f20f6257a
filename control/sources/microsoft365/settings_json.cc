#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <utility>

#include "control/sources/microsoft365/settings.h"

namespace postern::sources::microsoft365 {

tl::expected<tenant_settings, settings_error> parse(const boost::json::object& from, tenant_secrets secrets) {
    tenant_settings out;
    settings_reader take(from);
    for (const std::string_view each : {"client_secret", "client_key", "proxy_password"}) {
        take.secret(each);
    }
    take.text("tenant", out.tenant);
    take.text("client_id", out.client_id);
    take.word("cloud", out.cloud, {cloud::global, cloud::us_government, cloud::us_defense, cloud::china});
    take.text("login_url", out.login_url);
    take.text("graph_url", out.graph_url);
    take.word("sign_in", out.sign_in, {sign_in::secret, sign_in::certificate});
    take.text("client_certificate", out.client_certificate);
    take.text("proxy", out.proxy);
    take.text("proxy_user", out.proxy_user);
    take.text("ca_certificates", out.ca_certificates);
    take.flag("groups", out.groups);
    take.flag("user_principal_names", out.user_principal_names);
    take.word("disabled", out.disabled,
              {disabled_accounts::take, disabled_accounts::take_unlicensed, disabled_accounts::leave_out});
    take.texts("exclude", out.exclude);
    take.number("connect_timeout_s", out.connect_timeout_s);
    take.number("answer_timeout_s", out.answer_timeout_s);
    take.number("fetch_timeout_s", out.fetch_timeout_s);
    take.number("whole_every_hours", out.whole_every_hours);
    out.secrets = std::move(secrets);
    if (auto wrong = take.finish()) {
        return tl::unexpected(std::move(*wrong));
    }
    if (auto good = check(out); !good) {
        return tl::unexpected(std::move(good.error()));
    }
    return out;
}

boost::json::object to_json(const tenant_settings& from) {
    boost::json::object out;
    out["tenant"] = from.tenant;
    out["client_id"] = from.client_id;
    out["cloud"] = to_string(from.cloud);
    out["login_url"] = from.login_url;
    out["graph_url"] = from.graph_url;
    out["sign_in"] = to_string(from.sign_in);
    out["client_certificate"] = from.client_certificate;
    out["proxy"] = from.proxy;
    out["proxy_user"] = from.proxy_user;
    out["ca_certificates"] = from.ca_certificates;
    out["groups"] = from.groups;
    out["user_principal_names"] = from.user_principal_names;
    out["disabled"] = to_string(from.disabled);
    out["exclude"] = to_array(from.exclude);
    out["connect_timeout_s"] = from.connect_timeout_s;
    out["answer_timeout_s"] = from.answer_timeout_s;
    out["fetch_timeout_s"] = from.fetch_timeout_s;
    out["whole_every_hours"] = from.whole_every_hours;
    return out;
}

}  // namespace postern::sources::microsoft365
