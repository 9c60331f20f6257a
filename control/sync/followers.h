// Directories that tell their changes as they happen (RFC 4533 refreshAndPersist): one thread a source stays connected,
// and a change that it hears of begins a sync.
//
// What is heard only says that something changed; the sync fetches the changes itself and goes its usual way past the
// guard. So nothing depends on a connection that lives long, and a lost one costs no more than the wait for the
// schedule. Private to this folder.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "control/directory/store.h"
#include "control/sync/sources.h"

namespace postern::sync {

class followers {
public:
    /// `begin` starts a sync of the source; false: one is at work, or it could not. Called on any of the threads.
    using beginner = std::function<bool(std::uint32_t source)>;

    followers(directory::store& store, const environment& with, beginner begin)
        : _store(store), _with(with), _begin(std::move(begin)) {}
    ~followers() { end(); }
    followers(const followers&) = delete;
    followers& operator=(const followers&) = delete;

    /// Follows those sources that are to be followed as they are set now, and no others. Called every second.
    void look();
    void end();  ///< stops and joins

private:
    struct follower {
        directory::timestamp settings_of = 0;  ///< the source's `updated`
        std::atomic<bool> stop{false};
        std::thread thread;
    };
    directory::result<std::map<std::uint32_t, directory::timestamp>> enabled() const;
    void follow(std::uint32_t source, follower& as);
    bool heard(std::uint32_t source, const follower& as);
    /// False: it is to stop.
    bool pause(const follower& as, std::chrono::milliseconds most);

    directory::store& _store;
    const environment& _with;
    beginner _begin;
    std::map<std::uint32_t, std::unique_ptr<follower>> _followers;  ///< of the thread that calls `look`
    std::mutex _mutex;
    std::condition_variable _ending;
};

}  // namespace postern::sync
