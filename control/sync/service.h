// Syncs as they run: by schedule or by hand, a bounded number at once, one of a source at a time; what was unfinished
// when the program ended is taken up again at its start.
//
// fetch -> diff -> guard -> apply -> publish -> record. What a fetch yields is staged in a file of its own
// (FOLDER/RUN.stage), so memory stays flat; it is compared and applied in one transaction. Killed at any moment the
// list is the old one or the new one, and a run that was fetched goes on from there.
// Threads: any thread may call; calls other than `items` and `problems` don't wait for a sync.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "control/directory/store.h"
#include "control/sync/push.h"
#include "control/sync/runs.h"
#include "control/sync/sources.h"

namespace postern::sync {

/// How e-mail notices leave: by submission to a host that takes mail from this one.
struct mail_settings {
    std::string host;  ///< empty: no mail
    std::uint16_t port = 25;
    std::string from;  ///< address of the sender
    std::string helo;
};

struct notice;  // notify.h

struct service_options {
    std::string folder;    ///< for staged syncs and their diffs; made (0700) if it is not there
    std::string key_file;  ///< of secret_box; made if it is not there
    source_types types;
    unsigned at_once = 2;                      ///< syncs at work at a time
    std::uint32_t kept_runs = 50;              ///< per source, with their diffs; older ones are forgotten
    std::uint64_t max_items = 1'000'000;       ///< lines of a diff that are kept; all are counted
    std::uint64_t max_addresses = 20'000'000;  ///< of one fetch; beyond it the result is partial
    mail_settings mail;
    /// Whether a webhook may go to this address ("192.0.2.1", "2001:db8::1"): the operator's egress policy. Null: any.
    std::function<bool(const std::string& ip)> may_reach;
    /// Waits until changes up to `seq` are in force at the edges; false: not within the patience. Null: at once.
    std::function<bool(std::uint64_t seq, std::chrono::milliseconds patience)> wait_in_force;
    /// Tests: called at each step with its name; true ends the service there as a crash would.
    std::function<bool(std::string_view step)> fault;
    bool scheduled = true;  ///< false: only `start_sync` runs anything (tests)
};

/// For /metrics and the status page.
struct source_metrics {
    std::uint32_t source = 0;
    std::string name;
    std::uint32_t organisation = 0;
    bool enabled = false;
    bool out_of_date = false;
    bool held = false;
    bool running = false;
    std::uint32_t failures = 0;          ///< in a row
    directory::timestamp last_good = 0;  ///< 0: never
    std::uint64_t asserted = 0;
};
struct metrics {
    std::vector<source_metrics> sources;
    // Since the program's start:
    std::uint64_t succeeded = 0;
    std::uint64_t partial = 0;
    std::uint64_t failed = 0;
    std::uint64_t held = 0;
    std::uint64_t added = 0;
    std::uint64_t removed = 0;
    std::uint64_t notices_sent = 0;
    std::uint64_t notices_failed = 0;
    std::uint64_t notices_dropped = 0;  ///< the queue was full
    std::uint64_t in_grace = 0;         ///< addresses, now
};

class service {
public:
    /// `store` must outlive it.
    static directory::result<std::unique_ptr<service>> start(directory::store& store, service_options options);
    ~service();  ///< stops fetches and joins; what is unfinished is taken up at the next start

    const environment& with() const noexcept;

    /// The run's id. `conflict` if a sync of the source is at work (the error's text has its id), `not_found` without
    /// such a source. A dry run changes nothing and leaves a held run as it is.
    directory::result<std::uint64_t> start_sync(std::uint32_t source, bool dry, const directory::actor& by);
    /// The same in two steps: within the caller's transaction, and once that is committed.
    static directory::result<std::uint64_t> queue_sync(directory::writer& in, std::uint32_t source, bool dry);
    void begin(std::uint64_t run);
    /// Ends a run that is queued or fetching; `refused` for one that has gone further.
    directory::result<void> cancel(std::uint64_t run, const directory::actor& by);
    /// Applies what a held run holds. The run is at work again; see `find_run` for its end.
    directory::result<void> approve(std::uint64_t run, const directory::actor& by);
    directory::result<void> discard(std::uint64_t run, const directory::actor& by);

    /// Takes a pushed list within the caller's transaction; `begin` its run once that is committed, unless it came
    /// again. The list must have been read through (`sources::push::read_file_lines`).
    tl::expected<taken_push, push_refusal> take_push(directory::writer& in, const push_order& what) const;
    /// A whole list from memory: takes it and waits for its end. The run says what was found, applied or held
    /// (`items` has the diff); still at work: the patience ended.
    tl::expected<sync_run, push_refusal> push_people(const people_push& what, const directory::actor& by);
    /// Waits until the run is no more at work; false: not within the patience, or the program ends.
    bool wait_for_end(std::uint64_t run, std::chrono::milliseconds patience) const;

    /// The itemised diff of a run that has come so far, in the order of kind and address. `not_found` when it is no
    /// longer kept.
    directory::result<directory::page<diff_item>> items(std::uint64_t run, std::optional<diff_item::kind> what,
                                                        const directory::page_request& at) const;
    directory::result<directory::page<run_problem>> problems(std::uint64_t run,
                                                             const directory::page_request& at) const;

    /// Tests the connection of a source, kept or not, with the type that its name begins with. Blocks, a minute at
    /// most; `busy` while as many tests run as may, `invalid` if the type can't work with the settings.
    directory::result<sources::test_report> test(const source_order& order) const;
    /// Ends the tests that run and lets no other begin: before what calls `test` is stopped.
    void end_tests();

    /// Puts a notice on its way, as those of syncs go (notify.h).
    void tell(const notice& what, const notices& to, const std::string& webhook_secret);

    /// After a source was added, changed or removed (and committed): looks at the schedule again.
    void look_again();
    directory::result<metrics> snapshot() const;
    /// What the schedule's thread does every second: begins what is due, ends graces, looks at freshness. For tests
    /// that set the clock (`scheduled` false).
    void tick();
    /// Tests: waits until nothing is at work.
    void wait_idle() const;

private:
    class body;
    explicit service(std::unique_ptr<body> made) noexcept;
    std::unique_ptr<body> _body;
};

}  // namespace postern::sync
