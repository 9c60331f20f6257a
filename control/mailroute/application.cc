#include "control/mailroute/application.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "control/api/encode.h"
#include "control/api/identity.h"
#include "control/mailroute/bulk.h"
#include "control/mailroute/input.h"
#include "control/mailroute/remote_data.h"
#include "control/mailroute/rows.h"
#include "control/mailroute/schema.h"
#include "control/mailroute/target.h"
#include "control/mailroute/uris.h"

namespace postern::mailroute {
namespace {

using boost::json::array;
using boost::json::object;

constexpr std::chrono::milliseconds writer_patience{25'000};
constexpr std::size_t max_reason = 500;

struct api_key {
    std::string_view login;
    std::string_view key;
};

/// "ApiKey LOGIN:KEY". A key has no colon, a login may.
std::optional<api_key> read_key(std::string_view authorization) {
    constexpr std::string_view scheme = "apikey ";
    const auto same = [](char given, char wanted) { return given == wanted || given == wanted - 32; };
    if (authorization.size() < scheme.size() ||
        !std::equal(scheme.begin(), scheme.end(), authorization.begin(),
                    [&](char wanted, char given) { return same(given, wanted); })) {
        return std::nullopt;
    }
    authorization.remove_prefix(scheme.size());
    authorization.remove_prefix(std::min(authorization.size(), authorization.find_first_not_of(' ')));
    const std::size_t colon = authorization.rfind(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    return api_key{authorization.substr(0, colon), authorization.substr(colon + 1)};
}

api::response unauthorized(std::string_view text) {
    api::response made = refusal(401, text);
    made.fields.emplace_back("WWW-Authenticate", "ApiKey realm=\"postern\"");
    return made;
}

result<api::caller> identify(const directory::store& store, std::string_view authorization) {
    const auto given = read_key(authorization);
    if (!given) {
        return tl::unexpected(unauthorized("Send \"Authorization: ApiKey LOGIN:KEY\": a token's name and the token."));
    }
    const auto in = store.read();
    if (!in) {
        return refuse(in.error());
    }
    auto found = api::identify(*in, given->key, given->login);
    if (!found) {
        return tl::unexpected(found.error().status == 401
                                  ? unauthorized("There is no such key, or it is not this login's.")
                                  : refusal(found.error()));
    }
    return std::move(*found);
}

api::response redirect(const api::request& asked) {
    api::response made;
    // 308 keeps method and body; old clients know 301 better where there is none.
    made.status = asked.verb == api::method::get ? 301 : 308;
    const std::string to = asked.path + '/' + (asked.query.empty() ? "" : '?' + asked.query);
    made.body = boost::json::serialize(object{{"error", "This is at " + to + ", with a slash at its end."}});
    made.fields.emplace_back("Location", to);
    return made;
}

api::response wrong_method(const target& at) {
    const std::string_view allowed = allowed_methods(at.kind);
    api::response made = refusal(405, "Here it takes one of " + std::string(allowed) + ".");
    made.fields.emplace_back("Allow", std::string(allowed));
    return made;
}

/// What it takes to change there; the calls below an object are its accounts' and aliases'.
const resource& changed_there(const target& at) {
    return at.of == nullptr || at.kind == target_kind::add_accounts ? email_account : *at.of;
}

std::optional<api::response> check_reach(const target& at, const api::request& head) {
    const directory::scope& within = scope_of(head.caller);
    if (within.reach < directory::reach::domains) {
        return refusal(403, "This API takes a key for a domain at least; this one is for a group.");
    }
    if (head.verb == api::method::get) {
        return std::nullopt;
    }
    const resource& of = changed_there(at);
    if (head.caller.role < of.changed_by) {
        return refusal(403, "This takes the role " + std::string(api::to_string(of.changed_by)) + "; the key is " +
                                std::string(api::to_string(head.caller.role)) + "'s.");
    }
    if (within.reach < of.changed_within) {
        return refusal(403, "This takes a key for the whole customer; this one is for single domains.");
    }
    return std::nullopt;
}

api::response json(unsigned status, const object& body) {
    api::response made;
    made.status = status;
    made.body = boost::json::serialize(body);
    return made;
}

/// As the client addressed us, for `Location`.
std::string absolute(const api::request& asked, const std::string& uri) {
    const std::string_view host = asked.field("host");
    const bool secure = asked.tls || asked.field("x-forwarded-proto") == "https";
    return host.empty() ? uri : (secure ? "https://" : "http://") + std::string(host) + uri;
}

result<api::response> shown(change& in, const resource& of, std::int64_t id, unsigned status) {
    auto found = find_object(in.in, in.within(), of, id);
    if (!found) {
        return tl::unexpected(found.error());
    }
    return json(status, *found);
}

result<api::response> shown(change& in, const resource& of, const std::vector<std::int64_t>& ids) {
    array objects;
    for (const std::int64_t id : ids) {
        auto found = find_object(in.in, in.within(), of, id);
        if (!found) {
            return tl::unexpected(found.error());
        }
        objects.push_back(std::move(*found));
    }
    return json(202, {{"objects", std::move(objects)}});
}

result<api::response> add(change& in, const target& at, const api::request& asked) {
    const auto body = read_body(asked.body);
    const auto given = body ? input::read(*at.of, *body, purpose::post) : tl::unexpected(body.error());
    const auto id = given ? at.of->add(in, *given) : tl::unexpected(given.error());
    if (!id) {
        return tl::unexpected(id.error());
    }
    auto made = shown(in, *at.of, *id, 201);
    if (made) {
        made->fields.emplace_back("Location", absolute(asked, object_uri(at.of->name, *id)));
    }
    return made;
}

result<api::response> edit(change& in, const target& at, const api::request& asked) {
    if (!has_object(in.in, in.within(), *at.of, at.id)) {
        return refuse(404, "There is no " + std::string(at.of->name) + " " + std::to_string(at.id) + ".");
    }
    if (asked.verb == api::method::del) {
        const auto removed = at.of->remove(in, at.id);
        return removed ? result<api::response>(api::response{204, "", "", {}, {}}) : tl::unexpected(removed.error());
    }
    const purpose why = asked.verb == api::method::put ? purpose::put : purpose::patch;
    const auto body = read_body(asked.body);
    const auto given = body ? input::read(*at.of, *body, why) : tl::unexpected(body.error());
    const auto done = given ? at.of->edit(in, at.id, *given) : tl::unexpected(given.error());
    if (!done) {
        return tl::unexpected(done.error());
    }
    return shown(in, *at.of, at.id, 202);
}

result<api::response> change_many(change& in, const target& at, const api::request& asked) {
    if (at.kind == target_kind::mass_delete) {
        const auto removed = delete_many(in, *at.of, asked.query);
        return removed ? result<api::response>(api::response{204, "", "", {}, {}}) : tl::unexpected(removed.error());
    }
    const auto body = read_body(asked.body);
    if (!body) {
        return tl::unexpected(body.error());
    }
    if (at.kind == target_kind::mass_add || at.kind == target_kind::add_accounts) {
        const bool accounts = at.kind == target_kind::add_accounts;
        const auto ids = accounts ? add_accounts(in, at.id, *body) : add_many(in, *at.of, *body);
        return ids ? shown(in, accounts ? email_account : *at.of, *ids) : tl::unexpected(ids.error());
    }
    const auto done =
        at.kind == target_kind::add_aliases ? add_aliases(in, at.id, *body) : turn_into_aliases(in, at.id, *body);
    return done ? shown(in, *at.of, at.id, 202) : tl::unexpected(done.error());
}

result<api::response> write(service& with, const target& at, const api::request& asked) {
    const directory::actor by{"token:" + asked.caller.name,
                              api::printable_utf8(asked.field("postern-reason").substr(0, max_reason))};
    auto in = with.api.store.write(by, writer_patience);
    if (!in) {
        return refuse(in.error());
    }
    change at_work{with, *in, asked.caller};
    auto made = at.kind == target_kind::list     ? add(at_work, at, asked)
                : at.kind == target_kind::object ? edit(at_work, at, asked)
                                                 : change_many(at_work, at, asked);
    if (!made) {
        return made;
    }
    if (const auto done = in->commit(); !done) {
        return refuse(done.error());
    }
    return made;
}

result<api::response> read(service& with, const target& at, const api::request& asked) {
    const auto in = with.api.store.read();
    if (!in) {
        return refuse(in.error());
    }
    const directory::scope& within = scope_of(asked.caller);
    if (at.kind == target_kind::object) {
        auto found = find_object(*in, within, *at.of, at.id);
        return found ? result<api::response>(json(200, *found)) : tl::unexpected(found.error());
    }
    const auto request = read_list_request(*at.of, asked.query);
    auto found = request ? list_objects(*in, within, *at.of, *request) : tl::unexpected(request.error());
    return found ? result<api::response>(json(200, *found)) : tl::unexpected(found.error());
}

result<api::response> answer(service& with, const target& at, const api::request& asked) {
    if (at.kind == target_kind::index) {
        return json(200, index_page());
    }
    if (at.kind == target_kind::schema) {
        return json(200, schema_page(*at.of));
    }
    if (at.kind == target_kind::remote_data) {
        return push_remote_data(with, asked);
    }
    return asked.verb == api::method::get ? read(with, at, asked) : write(with, at, asked);
}

}  // namespace

bool is_ours(std::string_view path) {
    return path == "/api" || path.starts_with("/api/");
}

api::admission application::admit(api::request& head) {
    api::admission out;
    // A stranger learns nothing of what there is.
    auto who = identify(_service->api.store, head.field("authorization"));
    if (!who) {
        out.refusal = std::move(who.error());
        return out;
    }
    head.caller = std::move(*who);
    const target at = read_target(head.path);
    if (at.kind == target_kind::nothing) {
        out.refusal = refusal(404, "There is no such path; /api/v1/ names the resources.");
    } else if (at.kind == target_kind::slash_missing) {
        out.refusal = redirect(head);
    } else if (at.kind == target_kind::not_here) {
        out.refusal = refusal(501,
                              "MailRoute has this, Postern has not: see \"What is not there\" in "
                              "docs/mailroute-api.md.");
    } else if (!is_allowed(at.kind, head.verb)) {
        out.refusal = wrong_method(at);
    } else {
        out.refusal = check_reach(at, head);
    }
    const bool reads = head.verb == api::method::get;
    out.body = reads ? api::body_kind::none : api::body_kind::memory;
    out.may_wait = !reads;
    return out;
}

api::response application::refuse(const api::request& /*head*/, const api::problem& why) {
    return refusal(why);
}

api::response application::handle(api::request& whole) {
    auto made = answer(*_service, read_target(whole.path), whole);
    return made ? std::move(*made) : std::move(made.error());
}

}  // namespace postern::mailroute
