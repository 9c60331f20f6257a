// The publisher's own thread: follows the feed, makes bases and overlays, sets the edges' target, and when it is quiet
// writes down what was made and takes away files that nobody needs.
#pragma once

#include <chrono>
#include <vector>

#include "control/directory/generations.h"
#include "control/publish/base_build.h"
#include "control/publish/change_set.h"
#include "control/publish/shared.h"

namespace postern::publish {

class maker {
public:
    maker(directory::store& store, shared& with) : _store(store), _with(with) {}

    /// Takes up where the last run ended: the last base written down, if its file is there, and the feed since.
    directory::result<void> resume();
    void run();

private:
    using outcome = tl::expected<void, std::string>;

    bool wait_for_work();
    outcome step();
    outcome adopt_base();
    outcome start_base();
    outcome publish_base();
    outcome publish_changes(const directory::reader& in);
    outcome set_target(directory::generation made);
    void wait_for_edges();
    outcome tidy();
    bool tidy_due() const;
    outcome remember(bool everything);
    tl::expected<std::uint64_t, std::string> next_number();
    bool has_base() const noexcept { return !_base.file.empty(); }
    std::string path_of(const std::string& file) const { return _with.options.tables + '/' + file; }

    directory::store& _store;
    shared& _with;
    change_set _changes;
    built_base _base;  // in use
    base_build _building;
    bool _base_recorded = false;
    bool _feed_to_forget = false;
    bool _files_to_remove = true;  // left by an earlier run
    bool _renew_base = false;      // whatever the feed says
    std::uint64_t _next = 0;       // numbers handed out to us and not used
    std::uint64_t _reserved = 0;   // the last of them
    directory::generation _last;   // last one made; number 0: none
    std::vector<directory::generation> _unrecorded;
    std::chrono::steady_clock::time_point _last_start;
    std::chrono::steady_clock::time_point _last_distrust;
    std::chrono::milliseconds _retry{0};
    std::chrono::milliseconds _tidy_pause{100};
};

}  // namespace postern::publish
