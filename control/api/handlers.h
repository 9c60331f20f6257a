// All handlers, by resource. What each takes and gives stands in openapi.yaml.
#pragma once

#include "control/api/service.h"

namespace postern::api {

// handlers_organisations.cc
answer<response> list_organisations(service&, directory::reader&, call&);
answer<response> add_organisation(service&, directory::writer&, call&);
answer<response> get_organisation(service&, directory::reader&, call&);
answer<response> edit_organisation(service&, directory::writer&, call&);
answer<response> remove_organisation(service&, directory::writer&, call&);

// handlers_domains.cc
answer<response> list_domains(service&, directory::reader&, call&);
answer<response> add_domain(service&, directory::writer&, call&);
answer<response> get_domain(service&, directory::reader&, call&);
answer<response> edit_domain(service&, directory::writer&, call&);
answer<response> remove_domain(service&, directory::writer&, call&);
answer<response> list_domain_aliases(service&, directory::reader&, call&);
answer<response> add_domain_alias(service&, directory::writer&, call&);
answer<response> get_domain_alias(service&, directory::reader&, call&);
answer<response> edit_domain_alias(service&, directory::writer&, call&);
answer<response> remove_domain_alias(service&, directory::writer&, call&);

// handlers_mailboxes.cc
answer<response> list_mailboxes(service&, directory::reader&, call&);
answer<response> add_mailbox(service&, directory::writer&, call&);
answer<response> add_mailboxes(service&, directory::writer&, call&);
answer<response> get_mailbox(service&, directory::reader&, call&);
answer<response> edit_mailbox(service&, directory::writer&, call&);
answer<response> remove_mailbox(service&, directory::writer&, call&);

answer<response> reassign_mailboxes(service&, directory::writer&, call&);

// handlers_paste.cc, handlers_holds.cc, handlers_billing.cc
answer<response> paste_mailboxes(service&, directory::writer&, call&);
answer<response> put_hold(service&, directory::writer&, call&);
answer<response> list_billed(service&, directory::reader&, call&);

// handlers_discovery.cc
answer<response> get_discovery(service&, directory::reader&, call&);
answer<response> edit_discovery(service&, directory::writer&, call&);
answer<response> probe_domain(service&, call&);
answer<response> list_candidates(service&, directory::reader&, call&);
answer<response> list_refused(service&, directory::reader&, call&);
answer<response> triage_discovered(service&, directory::writer&, call&);

// handlers_claims.cc
answer<response> list_claims(service&, directory::reader&, call&);
answer<response> add_claim(service&, directory::writer&, call&);
answer<response> get_claim(service&, directory::reader&, call&);
answer<response> remove_claim(service&, directory::writer&, call&);
answer<response> grant_claim(service&, directory::writer&, call&);
answer<response> check_claim(service&, call&);
answer<response> check_mx(service&, call&);

// handlers_aliases.cc
answer<response> list_aliases(service&, directory::reader&, call&);
answer<response> add_alias(service&, directory::writer&, call&);
answer<response> add_aliases(service&, directory::writer&, call&);
answer<response> get_alias(service&, directory::reader&, call&);
answer<response> edit_alias(service&, directory::writer&, call&);
answer<response> remove_alias(service&, directory::writer&, call&);

// handlers_groups.cc
answer<response> list_groups(service&, directory::reader&, call&);
answer<response> add_group(service&, directory::writer&, call&);
answer<response> get_group(service&, directory::reader&, call&);
answer<response> edit_group(service&, directory::writer&, call&);
answer<response> remove_group(service&, directory::writer&, call&);

// handlers_inbound.cc
answer<response> list_inbound_servers(service&, directory::reader&, call&);
answer<response> add_inbound_server(service&, directory::writer&, call&);
answer<response> get_inbound_server(service&, directory::reader&, call&);
answer<response> edit_inbound_server(service&, directory::writer&, call&);
answer<response> remove_inbound_server(service&, directory::writer&, call&);
answer<response> probe_inbound_server(service&, call&);
answer<response> confirm_inbound_server(service&, directory::writer&, call&);

// handlers_imports.cc
answer<response> list_imports(service&, call&);
answer<response> add_import(service&, call&);
answer<response> get_import(service&, call&);
answer<response> remove_import(service&, call&);
answer<response> apply_import(service&, call&);
answer<response> approve_import(service&, call&);
answer<response> list_import_errors(service&, call&);
answer<response> export_mailboxes(service&, call&);
answer<response> get_sample(service&, call&);

// handlers_tokens.cc
answer<response> list_tokens(service&, directory::reader&, call&);
answer<response> add_token(service&, directory::writer&, call&);
answer<response> get_token(service&, directory::reader&, call&);
answer<response> revoke_token(service&, directory::writer&, call&);

// handlers_system.cc
answer<response> list_generations(service&, directory::reader&, call&);
answer<response> list_history(service&, directory::reader&, call&);
answer<response> get_status(service&, directory::reader&, call&);
answer<response> list_edges(service&, call&);
answer<response> explain(service&, call&);
answer<response> get_openapi(service&, call&);
answer<response> get_health(service&, call&);

// handlers_recent.cc
answer<response> list_recent_recipients(service&, directory::reader&, call&);
answer<response> get_readiness(service&, call&);
answer<response> get_what_if(service&, call&);
answer<response> ask_what_if(service&, call&);

// handlers_sources.cc
answer<response> list_sources(service&, directory::reader&, call&);
answer<response> add_source(service&, directory::writer&, call&);
answer<response> get_source(service&, directory::reader&, call&);
answer<response> edit_source(service&, directory::writer&, call&);
answer<response> remove_source(service&, directory::writer&, call&);
answer<response> list_source_presets(service&, call&);
answer<response> test_source(service&, call&);
answer<response> test_new_source(service&, call&);

// handlers_push.cc
answer<response> get_push(service&, directory::reader&, call&);
answer<response> push_whole(service&, call&);
answer<response> push_changes(service&, call&);

// handlers_syncs.cc
answer<response> begin_sync(service&, directory::writer&, call&);
answer<response> list_syncs(service&, directory::reader&, call&);
answer<response> get_sync(service&, directory::reader&, call&);
answer<response> list_sync_changes(service&, call&);
answer<response> list_sync_problems(service&, call&);
answer<response> cancel_sync(service&, call&);
answer<response> approve_sync(service&, call&);
answer<response> discard_sync(service&, call&);
answer<response> preview_restore(service&, call&);
answer<response> apply_restore(service&, directory::writer&, call&);

// metrics.cc, status_page.cc
answer<response> get_metrics(service&, call&);
answer<response> get_status_page(service&, call&);

}  // namespace postern::api
