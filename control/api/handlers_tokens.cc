// Tokens, for everything or for a part: each can be made and seen by tokens that reach as far at least.
#include <boost/json/object.hpp>

#include "control/api/body.h"
#include "control/api/handlers.h"
#include "control/api/lookups.h"
#include "control/api/represent.h"
#include "control/api/scope.h"
#include "control/directory/tokens.h"

namespace postern::api {
namespace {

directory::role to_directory(role as) {
    switch (as) {
        case role::admin:
            return directory::role::admin;
        case role::operator_:
            return directory::role::editor;
        case role::nobody:
        case role::reader:
            return directory::role::viewer;
    }
    return directory::role::viewer;
}

answer<directory::token> token_argument(const directory::reader& in, const call& of) {
    const auto id = id_argument(of, 0, static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
    if (!id) {
        return failure(id);
    }
    auto found = directory::find_token(in, *id);
    if (!found) {
        return failure(found);
    }
    const auto reached = directory::resolve_scope(in, found->scope);
    if (!reached) {
        return failure(reached);
    }
    if (!directory::contains(scope_of(of), *reached)) {
        return tl::unexpected(not_found("there is no token " + std::to_string(*id)));
    }
    return std::move(*found);
}

/// What the new token is for: as given, else all that the caller's is for.
directory::scope_rule read_scope(const directory::reader& in, const call& of, members& given) {
    const directory::scope& within = scope_of(of);
    directory::scope_rule out;
    out.organisation = static_cast<std::uint32_t>(given.number("organisation", 1, max_id32).value_or(0));
    out.group = static_cast<std::uint32_t>(given.number("group", 1, max_id32).value_or(0));
    if (const auto domains = given.texts("domains", 1000)) {
        for (const std::string& each : *domains) {
            const auto found = find_domain_by(in, of, each);
            if (!found || found->target != 0) {
                given.refuse("domains",
                             found ? found->name + " is a domain alias; name its domain" : found.error().detail);
                continue;
            }
            out.domains.push_back(found->id);
        }
    }
    if (out == directory::scope_rule{} && !within.is_everything()) {
        out.organisation = within.organisation;
        out.domains = within.reach == directory::reach::domains ? within.domains : std::vector<std::uint32_t>();
        out.group = within.group;
    }
    return out;
}

/// 422 for a token that would reach what the caller's does not, in the words for what is not there.
answer<void> check_reach(const directory::reader& in, const call& of, const directory::scope_rule& rule) {
    const auto good = directory::check_scope(in, rule);
    if (!good) {
        return failure(good);
    }
    const auto reached = directory::resolve_scope(in, *good);
    if (!reached) {
        return failure(reached);
    }
    if (directory::contains(scope_of(of), *reached)) {
        return {};
    }
    if (rule.group != 0) {
        return tl::unexpected(invalid("/group", "there is no group " + std::to_string(rule.group)));
    }
    return tl::unexpected(invalid(
        "/organisation", rule.organisation == scope_of(of).organisation
                             ? std::string("the token is for less than the organisation: name domains or a group")
                             : "there is no organisation " + std::to_string(rule.organisation)));
}

}  // namespace

answer<response> list_tokens(service& /*with*/, directory::reader& in, call& of) {
    const page_request page = of.parameters.paging({"id"});
    const bool revoked = of.parameters.flag("revoked").value_or(false);
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto found = directory::list_tokens(in, revoked, to_directory(page), scope_of(of));
    if (!found) {
        return failure(found);
    }
    return list_response(*found, page, [](const directory::token& each) { return represent(each); });
}

answer<response> add_token(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    if (!of.asked.field("idempotency-key").empty()) {
        // The answer to be kept would hold the secret, which is kept nowhere.
        return tl::unexpected(bad_request("A token can't be made under an Idempotency-Key.",
                                          {{"Idempotency-Key", "leave it out; a token too many can be revoked"}}));
    }
    const auto body = parse_json_object(of.asked);
    if (!body) {
        return failure(body);
    }
    std::vector<field_error> errors;
    members given(*body, "", errors);
    const std::string name = given.required_text("name", 100);
    const auto word = given.word("role", {"reader", "operator", "admin"});
    if (!word && !given.has("role")) {
        given.refuse("role", "is missing: reader, operator or admin");
    }
    const directory::scope_rule rule = read_scope(in, of, given);
    given.finish();
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    if (const auto good = check_reach(in, of, rule); !good) {
        return failure(good);
    }
    const auto made = directory::issue_token(in, name, to_directory(*parse_role(*word)), rule);
    if (!made) {
        return failure(made);
    }
    boost::json::object out = represent(made->token);
    response answered = created("/v1/tokens/" + std::to_string(made->token.id), out);
    out["secret"] = made->secret;
    answered.body = json(201, out).body;
    return answered;
}

answer<response> get_token(service& /*with*/, directory::reader& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto found = token_argument(in, of);
    if (!found) {
        return failure(found);
    }
    return tagged(200, represent(*found));
}

answer<response> revoke_token(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto present = token_argument(in, of);
    if (!present) {
        return failure(present);
    }
    if (const auto same = check_match(of, represent(*present)); !same) {
        return failure(same);
    }
    if (const auto revoked = directory::revoke_token(in, present->id); !revoked) {
        return failure(revoked);
    }
    // Without an admin token nobody could make another.
    const auto alone = directory::needs_first_token(in);
    if (!alone) {
        return failure(alone);
    }
    if (*alone) {
        return tl::unexpected(conflict("This is the last admin token; make another one first."));
    }
    return no_content();
}

}  // namespace postern::api
