// A directory in memory that a test edits and breaks, and a service over a store of its own that syncs from it: the
// fetcher is the only thing that is not the real one.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "control/sync/service.h"
#include "tests/control/directory/open_store.h"

namespace postern::sync {

/// What a directory has, and how its next fetches end.
struct scripted_directory {
    std::map<std::string, sources::directory_entry> objects;
    std::map<std::string, std::uint64_t> touched;  ///< version of the last change, by identity; also of what is gone
    std::uint64_t version = 1;

    enum sources::fetch_outcome::end end = sources::fetch_outcome::end::complete;
    std::string reason;
    std::size_t cut_after = SIZE_MAX;  ///< objects that a fetch yields before it ends with `end`
    bool whole_only = false;           ///< no changes by cookie
    bool refuse_cookie = false;        ///< yields nonsense, then restarts whole
    std::function<void(const std::atomic<bool>& stop)> meanwhile;  ///< called within each fetch
    std::vector<std::string> cookies;                              ///< that fetches came with

    void put(const std::string& identity, const std::string& address, std::vector<std::string> aliases = {},
             const std::string& first_name = "");
    void put(sources::directory_entry entry);
    void remove(const std::string& identity);
    /// Every address that it has now.
    std::set<std::string> addresses() const;
};

class sync_test : public directory::store_test {
protected:
    sync_test();
    ~sync_test() override { _service.reset(); }

    /// A service over the store; `_directories` by the part of the source's name behind "test:".
    void start(const std::function<void(service_options&)>& how = {});
    void crash() { _service.reset(); }
    directory_source add_source(const std::string& name, const source_settings& set = {},
                                std::uint32_t organisation = 1);
    /// One sync from start to end.
    sync_run sync(std::uint32_t source, bool dry = false);
    sync_run run(std::uint64_t id) { return directory::need(find_run(read(), id)); }
    directory_source source(std::uint32_t id) { return directory::need(find_source(read(), id)); }
    std::vector<diff_item> items(std::uint64_t run);
    std::vector<run_problem> problems(std::uint64_t run);
    /// Addresses in force; those in grace only if asked for.
    std::set<std::string> valid(bool in_grace = true);
    void change(std::uint32_t source, const std::function<void(source_settings&)>& how);

    std::map<std::string, scripted_directory> _directories;
    std::unique_ptr<service> _service;
};

using texts = std::set<std::string>;

}  // namespace postern::sync
