// The commands of posternctl, by resource. Each function adds its subcommands; what they do runs while CLI11 parses,
// after the common options.
#pragma once

#include <CLI/App.hpp>

#include "control/cli/context.h"

namespace postern::cli {

void add_domain_commands(CLI::App& to, context& with);   ///< domain, domain alias
void add_inbound_commands(CLI::App& to, context& with);  ///< inbound
void add_list_commands(CLI::App& to, context& with);     ///< mailbox, alias, group
void add_import_commands(CLI::App& to, context& with);   ///< import, imports, export
void add_source_commands(CLI::App& to, context& with);   ///< source
void add_sync_commands(CLI::App& to, context& with);     ///< sync, restore
void add_push_commands(CLI::App& to, context& with);     ///< push
void add_system_commands(CLI::App& to, context& with);   ///< explain, status, token, history, generations

void add_organisation_commands(CLI::App& to, context& with);  ///< organisation
void add_billing_commands(CLI::App& to, context& with);       ///< billable
void add_discovery_commands(CLI::App& to, context& with);     ///< discovery

/// `posternctl domain claim`, `mx`.
void add_claim_commands(CLI::App& domain, context& with);
/// `posternctl mailbox paste`, `block`, `pin`, `lift`, `reassign`.
void add_hand_commands(CLI::App& mailbox, context& with);

/// `posternctl domain ready`, `what-if`, `recent`.
void add_recent_commands(CLI::App& domain, context& with);

/// `posternctl import`, also as `mailbox import`.
void add_import_command(CLI::App& to, context& with);

}  // namespace postern::cli
