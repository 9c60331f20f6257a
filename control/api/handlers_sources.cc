// Directory sources: set up, changed, tested. What a type's own settings are, only the type knows (docs/ldap.md).
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <charconv>
#include <utility>

#include "control/api/body.h"
#include "control/api/handlers.h"
#include "control/api/lookups.h"
#include "control/api/notices_body.h"
#include "control/api/represent_sync.h"
#include "control/api/scope.h"
#include "control/api/sources.h"
#include "control/sources/ldap/settings.h"
#include "control/sync/service.h"

namespace postern::api {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

constexpr std::int64_t most_limit = 1'000'000'000;

/// Where in the body the directory's field stands.
problem source_problem(const directory::error& error) {
    directory::error renamed = error;
    std::string& field = renamed.field;
    if (field == "interval") {
        field = "interval_minutes";
    } else if (field == "grace" || field == "freshness") {
        field += "_seconds";
    } else if (field.ends_with("_count") || field.ends_with("_percent") || field == "floor") {
        field.insert(0, "limits/");
    } else if (field == "webhook" || field == "emails") {
        field.insert(0, "notify/");
    } else if (field == "secret") {
        field = "secrets";
    }
    return to_problem(renamed);
}
template <class T>
tl::unexpected<problem> source_failure(const directory::result<T>& result) {
    return tl::unexpected(source_problem(result.error()));
}

/// A member that is an object; null if it is absent or wrong (then reported).
const object* member_object(members& given, const object& body, std::string_view name) {
    given.known(name);
    const value* const found = body.if_contains(name);
    if (found == nullptr) {
        return nullptr;
    }
    if (!found->is_object()) {
        given.refuse(name, "is not an object");
        return nullptr;
    }
    return &found->get_object();
}

void read_limits(const object& from, sync::guard_limits& to, std::vector<field_error>& errors) {
    members given(from, "/limits", errors);
    const auto count = [&](std::string_view name, std::uint64_t& into) {
        into = static_cast<std::uint64_t>(given.number(name, 0, most_limit).value_or(static_cast<std::int64_t>(into)));
    };
    const auto percent = [&](std::string_view name, std::uint32_t& into, std::int64_t most) {
        into = static_cast<std::uint32_t>(given.number(name, 0, most).value_or(into));
    };
    count("removed_count", to.removed_count);
    percent("removed_percent", to.removed_percent, 100);
    count("added_count", to.added_count);
    percent("added_percent", to.added_percent, 1000);
    count("total_count", to.total_count);
    count("floor", to.floor);
    given.finish();
}

/// Members of `change` on top of those of the JSON object `text`; null takes one away (RFC 7396, one level).
std::string merged(const std::string& text, const object& change) {
    boost::json::error_code failed;
    value kept = boost::json::parse(text.empty() ? "{}" : text, failed);
    object out = failed || !kept.is_object() ? object() : std::move(kept.get_object());
    for (const auto& member : change) {
        if (member.value().is_null()) {
            out.erase(member.key());
        } else {
            out[member.key()] = member.value();
        }
    }
    return boost::json::serialize(out);
}

/// What new and changed sources have in common.
struct source_input {
    sync::source_settings set;
    std::optional<std::string> secret;
    std::optional<std::string> webhook_secret;
};

/// On top of what `into` holds: its settings, and in `into.secret` the secrets so far.
void read_source(members& given, const object& body, source_input& into, std::vector<field_error>& errors) {
    sync::source_settings& set = into.set;
    set.enabled = given.flag("enabled").value_or(set.enabled);
    set.interval = std::chrono::minutes(given.number("interval_minutes", 1, 44'640).value_or(set.interval.count()));
    set.grace = std::chrono::seconds(given.number("grace_seconds", 0, 7'776'000).value_or(set.grace.count()));
    set.freshness =
        std::chrono::seconds(given.number("freshness_seconds", 0, 31'622'400).value_or(set.freshness.count()));
    set.fallback_to_defer = given.flag("fallback_to_defer").value_or(set.fallback_to_defer);
    if (const object* const settings = member_object(given, body, "settings")) {
        set.settings = merged(set.settings, *settings);
    }
    if (const object* const limits = member_object(given, body, "limits")) {
        read_limits(*limits, set.limits, errors);
    }
    if (const object* const notify = member_object(given, body, "notify")) {
        read_notify(*notify, set.notify, errors);
    }
    const object* const secrets = member_object(given, body, "secrets");
    if (secrets == nullptr) {
        into.secret.reset();
    } else {
        std::string all = merged(into.secret.value_or(""), *secrets);
        into.secret = all == "{}" ? std::string() : std::move(all);
    }
    if (given.is_null("webhook_secret")) {
        given.known("webhook_secret");
        into.webhook_secret = "";
    } else {
        into.webhook_secret = given.text("webhook_secret", 1024);
    }
}

array represent_presets() {
    array out;
    for (const sources::ldap::preset& each : sources::ldap::presets()) {
        out.push_back(object{{"type", "ldap"},
                             {"name", each.name},
                             {"title", each.title},
                             {"settings", sources::ldap::to_json(each.settings)}});
    }
    return out;
}

answer<response> run_test(const service& with, const sync::source_order& order) {
    const auto report = with.syncs->test(order);
    if (!report) {
        return source_failure(report);
    }
    return json(200, represent(*report));
}

}  // namespace

problem no_sources() {
    return unavailable("This postern-control runs no syncs.");
}

answer<sync::directory_source> find_source_by(const directory::reader& in, const call& of,
                                              const std::string& id_or_name) {
    std::uint32_t id = 0;
    const char* const end = id_or_name.data() + id_or_name.size();
    const auto parsed = std::from_chars(id_or_name.data(), end, id);
    const bool numeric = parsed.ec == std::errc() && parsed.ptr == end;
    auto found =
        numeric ? sync::find_source(in, id) : sync::find_source(in, std::string_view(id_or_name), scope_of(of));
    if (!found) {
        return failure(found);
    }
    if (const auto seen =
            see_organisation(of, found->organisation, "there is no directory source " + std::to_string(found->id));
        !seen) {
        return failure(seen);
    }
    return *std::move(found);
}

answer<response> list_sources(service& /*with*/, directory::reader& in, call& of) {
    const page_request page = of.parameters.paging({"id"});
    sync::source_filter filter;
    filter.organisation = id_parameter(of.parameters, "organisation");
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    filter.within = scope_of(of);
    const auto found = sync::list_sources(in, filter, to_directory(page));
    if (!found) {
        return failure(found);
    }
    return list_response(*found, page, [](const sync::directory_source& each) { return represent(each); });
}

answer<response> add_source(service& with, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    if (with.syncs == nullptr) {
        return tl::unexpected(no_sources());
    }
    const auto body = parse_json_object(of.asked);
    if (!body) {
        return failure(body);
    }
    std::vector<field_error> errors;
    members given(*body, "", errors);
    sync::new_source input;
    input.name = given.required_text("name");
    const auto organisation = given.number("organisation", 1, max_id32);
    source_input read;
    read_source(given, *body, read, errors);
    given.finish();
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    const auto whose = organisation_for(of, organisation, "/organisation");
    if (!whose) {
        return failure(whose);
    }
    input.organisation = *whose;
    input.set = std::move(read.set);
    input.secret = std::move(read.secret).value_or("");
    input.webhook_secret = std::move(read.webhook_secret).value_or("");
    const auto made = sync::add_source(in, with.syncs->with(), input);
    if (!made) {
        return source_failure(made);
    }
    return created("/v1/sources/" + std::to_string(made->id), represent(*made));
}

answer<response> get_source(service& /*with*/, directory::reader& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto found = find_source_by(in, of, of.argument(0));
    if (!found) {
        return failure(found);
    }
    return tagged(200, represent(*found));
}

answer<response> edit_source(service& with, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto present = find_source_by(in, of, of.argument(0));
    if (!present) {
        return failure(present);
    }
    if (with.syncs == nullptr) {
        return tl::unexpected(no_sources());
    }
    if (const auto same = check_match(of, represent(*present)); !same) {
        return failure(same);
    }
    const auto body = parse_json_object(of.asked);
    if (!body) {
        return failure(body);
    }
    std::vector<field_error> errors;
    members given(*body, "", errors);
    source_input read{present->set, {}, {}};
    if (given.has("secrets")) {
        auto order = sync::order_of(in, with.syncs->with(), present->id);
        if (!order) {
            return failure(order);
        }
        read.secret = std::move(order->secret);
    }
    read_source(given, *body, read, errors);
    given.finish();
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    const auto changed =
        sync::change_source(in, with.syncs->with(), present->id, read.set, read.secret, read.webhook_secret);
    if (!changed) {
        return source_failure(changed);
    }
    return tagged(200, represent(*changed));
}

answer<response> remove_source(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto present = find_source_by(in, of, of.argument(0));
    if (!present) {
        return failure(present);
    }
    if (const auto same = check_match(of, represent(*present)); !same) {
        return failure(same);
    }
    if (const auto removed = sync::remove_source(in, present->id); !removed) {
        return failure(removed);
    }
    return no_content();
}

answer<response> list_source_presets(service& /*with*/, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    return json(200, {{"items", represent_presets()}, {"next", nullptr}});
}

answer<response> test_source(service& with, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    if (with.syncs == nullptr) {
        return tl::unexpected(no_sources());
    }
    sync::source_order order;
    {
        const auto in = with.store.read();
        if (!in) {
            return failure(in);
        }
        const auto found = find_source_by(*in, of, of.argument(0));
        if (!found) {
            return failure(found);
        }
        auto kept = sync::order_of(*in, with.syncs->with(), found->id);
        if (!kept) {
            return failure(kept);
        }
        order = *std::move(kept);
    }
    return run_test(with, order);
}

answer<response> test_new_source(service& with, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    if (with.syncs == nullptr) {
        return tl::unexpected(no_sources());
    }
    const auto body = parse_json_object(of.asked);
    if (!body) {
        return failure(body);
    }
    std::vector<field_error> errors;
    members given(*body, "", errors);
    sync::source_order order;
    order.name = given.required_text("name");
    const auto organisation = given.number("organisation", 1, max_id32);
    const object* const settings = member_object(given, *body, "settings");
    const object* const secrets = member_object(given, *body, "secrets");
    if (settings == nullptr && errors.empty()) {
        given.refuse("settings", "is missing");
    }
    given.finish();
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    const auto whose = organisation_for(of, organisation, "/organisation");
    if (!whose) {
        return failure(whose);
    }
    order.organisation = *whose;
    order.settings = boost::json::serialize(*settings);
    order.secret = secrets == nullptr ? std::string() : boost::json::serialize(*secrets);
    return run_test(with, order);
}

}  // namespace postern::api
