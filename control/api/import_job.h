// One import as the API has it: what was asked, how far it is, what it found.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "control/directory/store.h"
#include "control/sources/import.h"

namespace postern::api {

enum class import_state : std::uint8_t {
    waiting,    ///< for the preview
    reading,    ///< the preview runs
    previewed,  ///< nothing is changed; waits to be applied
    queued,     ///< to be applied
    applying,
    applied,
    held,     ///< what is new is applied; the removals wait for a person, and the file with them
    refused,  ///< strict and bad rows, or an empty list: nothing is changed
    cancelled,
    failed,  ///< nothing is changed; `error` says why
};
std::string_view to_string(import_state of) noexcept;

struct import_job {
    std::string id;
    std::string file_name;  ///< as the client named it, for people
    std::uint64_t size = 0;
    import_state state = import_state::waiting;
    bool apply_at_once = false;
    sources::import_options options;
    sources::import_progress progress;
    std::optional<sources::import_report> report;  ///< of the apply if there was one, else of the preview
    std::optional<std::uint64_t> confirmed;        ///< exactly so many addresses may go
    std::optional<std::uint64_t> approved;         ///< a person lets so many go
    std::string error;
    std::string by;
    directory::timestamp created = 0;
    directory::timestamp finished = 0;
};

}  // namespace postern::api
