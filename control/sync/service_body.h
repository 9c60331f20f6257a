// What the service consists of: the queue of runs and its workers, the schedule, the notices. Private to this folder.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "control/sync/followers.h"
#include "control/sync/notify.h"
#include "control/sync/runner.h"
#include "control/sync/service.h"

namespace postern::sync {

class service::body {
public:
    body(directory::store& on, service_options with, const secret_box& box)
        : store(on),
          options(std::move(with)),
          secrets(box),
          environs{secrets, options.types},
          tell(options),
          work(store, options, environs, tell, totals),
          followed(store, environs, [this](std::uint32_t source) { return begin_heard(source); }) {}
    ~body() { end(); }
    body(const body&) = delete;
    body& operator=(const body&) = delete;

    directory::result<void> begin();
    void end();
    void put(std::uint64_t run);
    void tick();
    bool begin_heard(std::uint32_t source);
    directory::result<void> decide(std::uint64_t run, run_state to, const directory::actor& by);
    template <class Item, class Read>
    directory::result<directory::page<Item>> page(std::uint64_t run, std::string_view sql, int what,
                                                  const directory::page_request& at, Read read) const;

    directory::store& store;
    service_options options;
    secret_box secrets;
    environment environs;
    notifier tell;
    run_totals totals;
    runner work;
    followers followed;

    mutable std::mutex mutex;
    mutable std::condition_variable changed;
    std::deque<std::uint64_t> queue;
    std::map<std::uint64_t, std::shared_ptr<run_control>> active;
    bool stop = false;
    bool look = false;
    std::vector<std::thread> threads;
    std::atomic<bool> tests_end{false};
    std::atomic<int> tests{0};

private:
    void run_worker();
    void run_schedule();
    void begin_due();
    void end_graces();
    void look_at_freshness();
};

}  // namespace postern::sync
