// An edge as its socket shows it (docs/edge-socket.md): prepares and commits real table files, and can be told to
// misbehave. Answers on a thread of its own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "board/process/files.h"
#include "smtp/recipients/snapshot.h"

namespace postern::publish {

class fake_edge {
public:
    struct pair {
        std::uint64_t generation = 0;
        std::string base;
        std::string overlay;
    };

    fake_edge(std::string socket, std::string tables);
    ~fake_edge() { stop(); }
    fake_edge(const fake_edge&) = delete;
    fake_edge& operator=(const fake_edge&) = delete;

    void start();
    void stop();    ///< hangs up; what was committed is kept, as a manifest would
    void forget();  ///< as a newly installed one. Stopped only
    /// As if a person had rolled back: the n-th last pair under the next number.
    void roll_back(std::size_t n = 1);

    std::atomic<bool> refuse{false};       ///< every prepare
    std::atomic<bool> silent{false};       ///< no answers at all
    std::atomic<bool> garble{false};       ///< answers that are no JSON
    std::atomic<bool> drop_commit{false};  ///< commits, then hangs up instead of answering

    pair in_force() const;
    /// Every number committed, in order.
    std::vector<std::uint64_t> numbers() const;
    /// "listed", "unlisted", "not served", "always"; "no table".
    std::string standing(const std::string& address) const;
    const recipients::domain_settings* domain(const std::string& address) const;
    /// Things that an edge would never be asked to do.
    std::vector<std::string> complaints() const;

private:
    void run();
    std::string answer(const std::string& line);
    std::string prepare(const std::string& base, const std::string& overlay);
    std::string commit(std::uint64_t number);
    std::string show() const;
    std::shared_ptr<const recipients::table> load(const std::string& file, std::string& error) const;

    std::string _path;
    std::string _tables;
    process::descriptor _listener;
    process::descriptor _wake;
    std::thread _thread;

    mutable std::mutex _mutex;
    pair _in_force;
    std::vector<pair> _kept;
    std::unique_ptr<const recipients::snapshot> _snapshot;
    pair _prepared;
    std::unique_ptr<const recipients::snapshot> _prepared_snapshot;
    std::vector<std::uint64_t> _numbers;
    std::vector<std::string> _complaints;
};

}  // namespace postern::publish
