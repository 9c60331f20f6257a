// The store's tables, as numbered migrations: each runs in one transaction with its number (`PRAGMA user_version`).
//
// A migration that was released is never edited; a change of the model is a new one at the end.
#pragma once

#include <span>

#include "control/directory/connection.h"

namespace postern::directory {

struct migration {
    int version = 0;      ///< 1, 2, 3, …
    const char* subject;  ///< for logs and errors
    const char* sql;
};
std::span<const migration> migrations() noexcept;

/// "POST" in `PRAGMA application_id`: tells a directory from any other SQLite file.
constexpr int application_id = 0x504f5354;

/// Brings the file up to `version` (the newest unless given). Refuses a file with a newer one or of another program.
result<void> migrate(connection& on, int version = 0);

}  // namespace postern::directory
