// One run from where it stands to its end, on the calling thread: fetch -> diff -> guard -> apply -> publish -> record.
// Private to this folder.
//
// Each step ends with a transaction that says how far the run is, so whoever finds it after a crash goes on from there:
// queued and fetching begin anew, comparing is done again from the stage, publishing only has to be waited for.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <random>
#include <string>

#include "control/directory/store.h"
#include "control/sync/notify.h"
#include "control/sync/run_rows.h"
#include "control/sync/service.h"
#include "control/sync/stage.h"

namespace postern::sync {

/// How others speak to a run at work.
struct run_control {
    std::atomic<bool> stop{false};       ///< ends the fetch
    std::atomic<bool> fetching{true};    ///< it can be cancelled
    std::atomic<bool> cancelled{false};  ///< by a person; else `stop` means that the program ends
};

struct run_totals {
    std::atomic<std::uint64_t> succeeded{0};
    std::atomic<std::uint64_t> partial{0};
    std::atomic<std::uint64_t> failed{0};
    std::atomic<std::uint64_t> held{0};
    std::atomic<std::uint64_t> added{0};
    std::atomic<std::uint64_t> removed{0};
};

class runner {
public:
    runner(directory::store& store, const service_options& options, const environment& with, notifier& tell,
           run_totals& totals)
        : _store(store),
          _options(options),
          _with(with),
          _tell(tell),
          _totals(totals),
          _random(std::random_device{}()) {}

    /// Returns at the run's end, when it is held, or (leaving it to the next start) when `control.stop` is set.
    void run(std::uint64_t id, run_control& control);

private:
    enum class next : std::uint8_t { go_on, leave };
    next fetch(const run_row& row, run_control& control);
    tl::expected<std::unique_ptr<sources::fetcher>, std::string> pushed(const directory::reader& in,
                                                                        const directory_source& source,
                                                                        std::uint64_t run, served_domains& served);
    next compare_and_apply(const run_row& row, run_control& control);
    void publish(const run_row& row, const run_control& control);
    void fail_run(const run_row& row, run_state state, const std::string& reason,
                  const sources::fetch_outcome* outcome);
    directory::result<directory::writer> write(const directory::lease* held, const run_row& row,
                                               const run_control* control);
    directory::result<guard_verdict> change_list(directory::writer& out, const run_row& row, std::uint64_t& superseded);
    void put_source_end(directory::writer& out, const run_row& row, bool differed, const guard_verdict& verdict);
    void put_next_run(directory::writer& out, std::uint32_t source, bool failed);
    void report(const directory_source& before, std::uint64_t run);
    bool crash_at(std::string_view step) { return _options.fault && _options.fault(step); }

    directory::store& _store;
    const service_options& _options;
    const environment& _with;
    notifier& _tell;
    run_totals& _totals;
    std::mutex _random_mutex;
    std::mt19937_64 _random;
};

}  // namespace postern::sync
