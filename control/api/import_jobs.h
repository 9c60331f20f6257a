// Imports as the API has them: an uploaded file is previewed, then applied when asked, both in the background.
//
// One thread works through them in order (the store has one writer anyway). What was taken and is not over outlives the
// process (import_record.h): the next one previews again what waits to be applied, applies what was to be applied, and
// keeps what is held for a person. What is over is forgotten then; what was applied stands in the directory's history.
// Of files that wait for a person the newest eight are kept.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "control/api/import_job.h"
#include "control/directory/store.h"
#include "control/sources/import.h"
#include "control/sync/sources.h"

namespace postern::api {

class import_jobs {
public:
    static constexpr std::size_t max_jobs = 100;
    static constexpr std::size_t max_kept_files = 8;

    /// An import that a process was at work on so often when it ended is given up: it may be what ended it.
    static constexpr unsigned max_begun = 3;

    /// `folder` is made (0700). Imports of an earlier process that are in it go on; all else in it is removed.
    static tl::expected<std::unique_ptr<import_jobs>, std::string> open(directory::store& store,
                                                                        const std::string& folder,
                                                                        const sync::guard_limits& limits = {});
    ~import_jobs();  ///< breaks off what runs, for the next process to begin anew

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
    enum class apply_answer : std::uint8_t { queued, already, not_previewed, gone, failed };
    apply_answer apply(const std::string& id, const directory::actor& by);
    enum class approve_answer : std::uint8_t { queued, not_held, gone, failed };
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
