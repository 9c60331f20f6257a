#include "control/api/api.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <utility>

#include "board/process/files.h"
#include "board/process/log.h"
#include "control/api/encode.h"
#include "control/api/identity.h"
#include "control/api/routes.h"
#include "control/api/scope.h"
#include "control/api/transaction.h"
#include "control/directory/tokens.h"
#include "control/encoding/base64.h"

namespace postern::api {
namespace {

constexpr std::size_t max_reason = 500;

/// The name that a browser on this machine has in `Host`; anything else may be a page elsewhere whose name was made to
/// point here (DNS rebinding), or a reverse proxy that speaks for strangers.
bool asks_directly(const request& head) {
    if (!head.loopback || !head.field("x-forwarded-for").empty() || !head.field("forwarded").empty()) {
        return false;
    }
    std::string_view host = head.field("host");
    if (host.starts_with('[')) {
        const std::size_t end = host.find(']');
        host = host.substr(1, end == std::string_view::npos ? end : end - 1);
    } else {
        host = host.substr(0, host.find(':'));
    }
    return host == "localhost" || is_loopback_address(std::string(host));
}

/// The token of `Authorization: Bearer TOKEN`; on pages for browsers also Basic's password.
std::optional<std::string> token_of(std::string_view authorization, bool page) {
    const std::size_t space = authorization.find(' ');
    if (space == std::string_view::npos) {
        return std::nullopt;
    }
    std::string scheme(authorization.substr(0, space));
    for (char& c : scheme) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    }
    std::string_view rest = authorization.substr(space + 1);
    rest.remove_prefix(std::min(rest.size(), rest.find_first_not_of(' ')));
    if (scheme == "bearer") {
        return std::string(rest);
    }
    if (scheme == "basic" && page) {
        const auto plain = encoding::from_base64(rest);
        const std::size_t colon = plain ? plain->find(':') : std::string::npos;
        return colon == std::string::npos ? std::nullopt : std::optional<std::string>(plain->substr(colon + 1));
    }
    return std::nullopt;
}

bool is_page(std::string_view path) {
    return path == "/" || path == "/metrics";
}

bool weakly_listed(std::string_view list, std::string_view tag) {
    return list == "*" || list.find(tag) != std::string_view::npos;
}

}  // namespace

directory::actor actor_of(const call& in) {
    directory::actor by;
    by.who = "token:" + in.asked.caller.name;
    by.why = printable_utf8(in.asked.field("postern-reason").substr(0, max_reason));
    return by;
}

answer<caller> api_application::identify(const request& head, bool page) const {
    const std::string_view authorization = head.field("authorization");
    if (authorization.empty()) {
        if (page && asks_directly(head)) {
            return caller{role::reader, 0, "loopback", nullptr};
        }
        problem none = unauthorized("Send a token: \"Authorization: Bearer TOKEN\".");
        if (page) {
            none.fields.emplace_back("WWW-Authenticate", "Basic realm=\"Postern: any name, a token as the password\"");
        }
        return tl::unexpected(std::move(none));
    }
    const auto secret = token_of(authorization, page);
    if (!secret) {
        return tl::unexpected(unauthorized("The Authorization field is not \"Bearer TOKEN\"."));
    }
    const auto in = _service->store.read();
    if (!in) {
        return failure(in);
    }
    return api::identify(*in, *secret);
}

admission api_application::admit(request& head) {
    admission out;
    route_match found = match(head.verb, head.path);
    const bool page = is_page(head.path);
    if (found.found == nullptr || found.found->least != role::nobody) {
        // A stranger learns nothing of what there is.
        auto who = identify(head, page);
        if (!who) {
            out.refusal = to_response(who.error());
            return out;
        }
        head.caller = std::move(*who);
    }
    if (found.found == nullptr) {
        if (found.allowed.empty()) {
            out.refusal = to_response(not_found("There is no such path; /v1/openapi.yaml has all there are."));
            return out;
        }
        problem wrong = bad_request("The path does not know this method.");
        wrong.status = 405;
        wrong.type = "method-not-allowed";
        wrong.title = "The method is not for this path";
        std::string allowed;
        for (const method each : found.allowed) {
            allowed += (allowed.empty() ? "" : ", ") + std::string(to_string(each));
        }
        wrong.fields.emplace_back("Allow", allowed);
        out.refusal = to_response(wrong);
        return out;
    }
    if (head.caller.role < found.found->least) {
        out.refusal = to_response(forbidden("This takes the role " + std::string(to_string(found.found->least)) +
                                            "; the token \"" + head.caller.name + "\" is " +
                                            std::string(to_string(head.caller.role)) + "."));
        return out;
    }
    if (head.caller.scope != nullptr && head.caller.scope->reach < found.found->narrowest) {
        const bool all = found.found->narrowest == directory::reach::everything;
        out.refusal = to_response(beyond_scope(
            "This", "It takes a token " +
                        (all ? std::string("of the operator's")
                             : "for the whole " + std::string(directory::to_string(found.found->narrowest))) +
                        "; this one is for a " + std::string(directory::to_string(head.caller.scope->reach)) + "."));
        return out;
    }
    head.arguments = std::move(found.arguments);
    out.body = found.found->body;
    out.may_wait = may_wait(*found.found);
    return out;
}

answer<response> api_application::run(request& whole, call& of) {
    const route* const found = match(whole.verb, whole.path).found;
    if (found == nullptr) {
        return tl::unexpected(not_found("There is no such path."));
    }
    if (const auto* const handler = std::get_if<plain_handler>(&found->handler)) {
        return (*handler)(*_service, of);
    }
    if (const auto* const handler = std::get_if<read_handler>(&found->handler)) {
        auto in = _service->store.read();
        if (!in) {
            return failure(in);
        }
        return (*handler)(*_service, *in, of);
    }
    const auto handler = std::get<write_handler>(found->handler);
    return transact(*_service, of, [&](directory::writer& in) { return handler(*_service, in, of); });
}

response api_application::handle(request& whole) {
    auto parameters = query::parse(whole.query);
    if (!parameters) {
        return to_response(parameters.error());
    }
    call of{whole, std::move(*parameters)};
    auto answered = run(whole, of);
    if (!answered) {
        return to_response(answered.error());
    }
    const std::string_view known = whole.field("if-none-match");
    if (whole.verb == method::get && !known.empty()) {
        for (const auto& [name, tag] : answered->fields) {
            if (name == "ETag" && weakly_listed(known, tag)) {
                response same;
                same.status = 304;
                same.content_type.clear();
                same.fields.emplace_back("ETag", tag);
                return same;
            }
        }
    }
    return std::move(*answered);
}

tl::expected<bool, std::string> write_first_token(directory::store& store, const std::string& path) {
    auto in = store.write({"system", "first start"});
    if (!in) {
        return tl::unexpected(in.error().text);
    }
    const auto needed = directory::needs_first_token(*in);
    if (!needed) {
        return tl::unexpected(needed.error().text);
    }
    if (!*needed) {
        return false;
    }
    const auto made = directory::issue_token(*in, "first admin", directory::role::admin);
    if (!made) {
        return tl::unexpected(made.error().text);
    }
    // The file first: a crash in between leaves a file with a dead token, which the next start replaces; the other way
    // round it would leave a token that nobody knows.
    if (const auto written = process::replace_file(path, made->secret + "\n", 0600); !written) {
        return tl::unexpected(written.error() + "; the first admin token has to be kept there");
    }
    if (const auto done = in->commit(); !done) {
        return tl::unexpected(done.error().text);
    }
    return true;
}

}  // namespace postern::api
