#include "control/api/routes.h"

#include <algorithm>
#include <array>
#include <utility>

#include "control/api/handlers.h"
#include "control/api/path.h"

namespace postern::api {
namespace {

using enum method;
constexpr role anyone = role::nobody;
constexpr role reader = role::reader;
constexpr role operates = role::operator_;
constexpr role admin = role::admin;
constexpr body_kind none = body_kind::none;
constexpr body_kind memory = body_kind::memory;
constexpr body_kind upload = body_kind::upload;
// The last column: what a token must reach at least.
constexpr directory::reach group = directory::reach::group;
constexpr directory::reach domain = directory::reach::domains;
constexpr directory::reach whole = directory::reach::organisation;

// The pages without a token (`/`, /metrics) are for loopback clients only; api.cc sees to it.
const auto table = std::to_array<route>({
    {get, "/", reader, none, get_status_page},
    {get, "/healthz", anyone, none, get_health, group},
    {get, "/metrics", reader, none, get_metrics},
    {get, "/v1/openapi.yaml", anyone, none, get_openapi, group},

    {get, "/v1/organisations", reader, none, list_organisations, group},
    {post, "/v1/organisations", admin, memory, add_organisation, whole},
    {get, "/v1/organisations/{organisation}", reader, none, get_organisation, group},
    {patch, "/v1/organisations/{organisation}", admin, memory, edit_organisation, whole},
    {del, "/v1/organisations/{organisation}", admin, none, remove_organisation, whole},

    {get, "/v1/domains", reader, none, list_domains, group},
    {post, "/v1/domains", admin, memory, add_domain, whole},
    {get, "/v1/domains/{domain}", reader, none, get_domain, group},
    {patch, "/v1/domains/{domain}", admin, memory, edit_domain, domain},
    {del, "/v1/domains/{domain}", admin, none, remove_domain, whole},

    {get, "/v1/domains/{domain}/recent-recipients", reader, none, list_recent_recipients, domain},
    {get, "/v1/domains/{domain}/readiness", reader, none, get_readiness, domain},
    {get, "/v1/domains/{domain}/what-if", reader, none, get_what_if, domain},
    {post, "/v1/domains/{domain}/what-if", reader, upload, ask_what_if, domain},

    {get, "/v1/domains/{domain}/mx", reader, none, check_mx, domain},

    {get, "/v1/domains/{domain}/discovery", reader, none, get_discovery, domain},
    {patch, "/v1/domains/{domain}/discovery", admin, memory, edit_discovery, domain},
    {post, "/v1/domains/{domain}/discovery/probe", operates, none, probe_domain, domain},
    {get, "/v1/domains/{domain}/discovery/candidates", reader, none, list_candidates, domain},
    {get, "/v1/domains/{domain}/discovery/refused", reader, none, list_refused, domain},
    {post, "/v1/domains/{domain}/discovery/triage", operates, memory, triage_discovered, domain},

    {get, "/v1/domain-claims", reader, none, list_claims, whole},
    {post, "/v1/domain-claims", admin, memory, add_claim, whole},
    {get, "/v1/domain-claims/{domain_claim}", reader, none, get_claim, whole},
    {del, "/v1/domain-claims/{domain_claim}", admin, none, remove_claim, whole},
    {post, "/v1/domain-claims/{domain_claim}/check", admin, none, check_claim, whole},
    {post, "/v1/domain-claims/{domain_claim}/grant", admin, none, grant_claim},

    {get, "/v1/domain-aliases", reader, none, list_domain_aliases, group},
    {post, "/v1/domain-aliases", admin, memory, add_domain_alias, whole},
    {get, "/v1/domain-aliases/{domain_alias}", reader, none, get_domain_alias, group},
    {patch, "/v1/domain-aliases/{domain_alias}", admin, memory, edit_domain_alias, whole},
    {del, "/v1/domain-aliases/{domain_alias}", admin, none, remove_domain_alias, whole},

    {get, "/v1/mailboxes", reader, none, list_mailboxes, group},
    {post, "/v1/mailboxes", operates, memory, add_mailbox, group},
    {post, "/v1/mailboxes/bulk", operates, memory, add_mailboxes, group},
    {post, "/v1/mailboxes/paste", operates, memory, paste_mailboxes, group},
    {get, "/v1/mailboxes/{mailbox}", reader, none, get_mailbox, group},
    {patch, "/v1/mailboxes/{mailbox}", operates, memory, edit_mailbox, group},
    {del, "/v1/mailboxes/{mailbox}", operates, none, remove_mailbox, group},

    {post, "/v1/mailboxes/{mailbox}/reassign", operates, memory, reassign_mailboxes, group},
    {post, "/v1/holds", operates, memory, put_hold, group},
    {get, "/v1/billing", reader, none, list_billed, domain},

    {get, "/v1/aliases", reader, none, list_aliases, group},
    {post, "/v1/aliases", operates, memory, add_alias, group},
    {post, "/v1/aliases/bulk", operates, memory, add_aliases, group},
    {get, "/v1/aliases/{alias}", reader, none, get_alias, group},
    {patch, "/v1/aliases/{alias}", operates, memory, edit_alias, group},
    {del, "/v1/aliases/{alias}", operates, none, remove_alias, group},

    {get, "/v1/groups", reader, none, list_groups, group},
    {post, "/v1/groups", operates, memory, add_group, domain},
    {get, "/v1/groups/{group}", reader, none, get_group, group},
    {patch, "/v1/groups/{group}", operates, memory, edit_group, domain},
    {del, "/v1/groups/{group}", operates, none, remove_group, domain},

    {get, "/v1/inbound-servers", reader, none, list_inbound_servers, domain},
    {post, "/v1/inbound-servers", admin, memory, add_inbound_server, whole},
    {get, "/v1/inbound-servers/{inbound_server}", reader, none, get_inbound_server, domain},
    {patch, "/v1/inbound-servers/{inbound_server}", admin, memory, edit_inbound_server, whole},
    {del, "/v1/inbound-servers/{inbound_server}", admin, none, remove_inbound_server, whole},
    {post, "/v1/inbound-servers/{inbound_server}/probe", admin, none, probe_inbound_server, whole},
    {post, "/v1/inbound-servers/{inbound_server}/confirm", admin, memory, confirm_inbound_server, whole},

    {get, "/v1/imports", reader, none, list_imports, domain},
    {post, "/v1/imports", operates, upload, add_import, domain},
    {get, "/v1/imports/sample", reader, none, get_sample, group},
    {get, "/v1/imports/{import}", reader, none, get_import, domain},
    {del, "/v1/imports/{import}", operates, none, remove_import, domain},
    {post, "/v1/imports/{import}/apply", operates, none, apply_import, domain},
    {post, "/v1/imports/{import}/approve", operates, none, approve_import, domain},
    {get, "/v1/imports/{import}/errors", reader, none, list_import_errors, domain},
    {get, "/v1/exports", reader, none, export_mailboxes, group},

    {get, "/v1/source-presets", reader, none, list_source_presets, group},
    {get, "/v1/sources", reader, none, list_sources, whole},
    {post, "/v1/sources", admin, memory, add_source, whole},
    {post, "/v1/sources/test", admin, memory, test_new_source, whole},
    {get, "/v1/sources/{source}", reader, none, get_source, whole},
    {patch, "/v1/sources/{source}", admin, memory, edit_source, whole},
    {del, "/v1/sources/{source}", admin, none, remove_source, whole},
    {post, "/v1/sources/{source}/test", operates, none, test_source, whole},
    {post, "/v1/sources/{source}/sync", operates, memory, begin_sync, whole},
    {get, "/v1/sources/{source}/push", reader, none, get_push, whole},
    {post, "/v1/sources/{source}/push/whole", operates, upload, push_whole, whole},
    {post, "/v1/sources/{source}/push/changes", operates, upload, push_changes, whole},
    {get, "/v1/syncs", reader, none, list_syncs, whole},
    {get, "/v1/syncs/{sync}", reader, none, get_sync, whole},
    {get, "/v1/syncs/{sync}/changes", reader, none, list_sync_changes, whole},
    {get, "/v1/syncs/{sync}/problems", reader, none, list_sync_problems, whole},
    {post, "/v1/syncs/{sync}/cancel", operates, none, cancel_sync, whole},
    {post, "/v1/syncs/{sync}/approve", operates, none, approve_sync, whole},
    {post, "/v1/syncs/{sync}/discard", operates, none, discard_sync, whole},
    {get, "/v1/restore", reader, none, preview_restore, whole},
    {post, "/v1/restore", admin, memory, apply_restore, whole},

    {get, "/v1/tokens", admin, none, list_tokens, group},
    {post, "/v1/tokens", admin, memory, add_token, group},
    {get, "/v1/tokens/{token}", admin, none, get_token, group},
    {del, "/v1/tokens/{token}", admin, none, revoke_token, group},

    {get, "/v1/generations", reader, none, list_generations},
    {get, "/v1/history", reader, none, list_history, group},
    {get, "/v1/status", reader, none, get_status, group},
    {get, "/v1/edges", reader, none, list_edges},
    {get, "/v1/explain", reader, none, explain, group},
});

}  // namespace

std::span<const route> routes() {
    return table;
}

route_match match(method verb, std::string_view path) {
    route_match out;
    for (const route& each : table) {
        auto arguments = match_path(each.path, path);
        if (!arguments) {
            continue;
        }
        if (each.verb == verb) {
            out.found = &each;
            out.arguments = std::move(*arguments);
            return out;
        }
        if (std::find(out.allowed.begin(), out.allowed.end(), each.verb) == out.allowed.end()) {
            out.allowed.push_back(each.verb);
        }
    }
    return out;
}

bool may_wait(const route& of) {
    if (std::holds_alternative<write_handler>(of.handler)) {
        return true;
    }
    const auto* const plain = std::get_if<plain_handler>(&of.handler);
    return plain != nullptr &&
           (*plain == &probe_inbound_server || *plain == &probe_domain || *plain == &explain ||
            *plain == &get_metrics || *plain == &export_mailboxes || *plain == &get_readiness ||
            *plain == &get_what_if || *plain == &ask_what_if || *plain == &check_claim || *plain == &check_mx ||
            *plain == &push_whole || *plain == &push_changes || *plain == &test_source || *plain == &test_new_source ||
            *plain == &cancel_sync || *plain == &approve_sync || *plain == &discard_sync || *plain == &preview_restore);
}

}  // namespace postern::api
