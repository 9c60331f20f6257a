// Imports as the API has them: an uploaded file is previewed, then applied when asked, both in the background.
//
// One thread works through them in order (the store has one writer anyway). Jobs and their files live until the process
// ends; what was applied stands in the directory's history. Of files that wait to be applied the newest eight are kept.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "control/directory/store.h"
#include "control/sources/import.h"
#include "control/sync/sources.h"

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

class import_jobs {
public:
    static constexpr std::size_t max_jobs = 100;
    static constexpr std::size_t max_kept_files = 8;

    /// `folder` is made (0700) and emptied: it holds nothing but uploads of an earlier life.
    static tl::expected<std::unique_ptr<import_jobs>, std::string> open(directory::store& store,
                                                                        const std::string& folder,
                                                                        const sync::guard_limits& limits = {});
    ~import_jobs();  ///< cancels what runs

    /// The folder that uploads go to, so that `add` can rename them.
    const std::string& folder() const noexcept;

    struct submission {
        std::string path;  ///< renamed into the job's keeping
        std::string file_name;
        sources::import_options options;
        bool apply_at_once = false;
        std::optional<std::uint64_t> confirmed;  ///< exactly so many addresses may go
        directory::actor by;
        std::string idempotency;  ///< empty: none. Token and key in one
        std::string digest;       ///< of the file and the options
    };
    enum class add_error : std::uint8_t { other_request, too_many, failed };
    /// The job's id. With an idempotency key that is known: the id of the job that it made.
    tl::expected<std::string, add_error> add(submission given);
    std::optional<import_job> find(const std::string& id) const;
    std::vector<import_job> list() const;  ///< newest first
    enum class apply_answer : std::uint8_t { queued, already, not_previewed, gone };
    apply_answer apply(const std::string& id, const directory::actor& by);
    enum class approve_answer : std::uint8_t { queued, not_held, gone };
    /// The removals that are held, and no more, are done.
    approve_answer approve(const std::string& id, const directory::actor& by);
    /// Cancels what has not been written yet; discards removals that are held; forgets what is over. False: there is no
    /// such job.
    bool remove(const std::string& id);

private:
    struct state;
    explicit import_jobs(std::unique_ptr<state> made);
    std::unique_ptr<state> _state;
};

}  // namespace postern::api
