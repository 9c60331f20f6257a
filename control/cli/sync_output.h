// Syncs for people: what a sync found and did, and waiting for its end.
#pragma once

#include <string>

#include "control/cli/context.h"

namespace postern::cli {

target sync_path(const std::string& id, const char* rest = "");
std::string sync_count(const boost::json::object& sync, std::string_view name);  ///< one of its counts
void print_sync(const boost::json::object& sync);
void print_changes(const boost::json::array& rows);  ///< of a diff

/// Looks at the sync until it is over, or held and what it did is in force.
boost::json::object watch_sync(context& with, const std::string& id);
/// Shows it; the command fails unless the list is (or would be) what the directory says.
void finish_sync(context& with, const boost::json::object& sync, bool with_changes);

}  // namespace postern::cli
