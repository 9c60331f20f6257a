#include "control/agent/round.h"

#include <memory>
#include <utility>

#include "board/process/log.h"
#include "control/agent/memory.h"
#include "control/agent/server.h"
#include "control/agent/spool.h"
#include "control/sources/ldap/ldap.h"

namespace postern::agent {
namespace {

using sources::fetch_outcome;
using std::chrono::seconds;
using reason = enum refusal::reason;

constexpr unsigned shown_changes = 100;
constexpr int most_waits = 10;
constexpr seconds longest_pause{10};  // for an earlier list that is at work; beyond it the next round will do

outcome outcome_of(enum refusal::reason why) {
    switch (why) {
        case reason::unreachable:
            return outcome::unreachable;
        case reason::token:
            return outcome::token;
        case reason::stopped:
            return outcome::stopped;
        case reason::other_list:
        case reason::wait:
        case reason::refused:
            return outcome::not_applied;
    }
    return outcome::not_applied;
}

class round {
public:
    round(const configuration& settings, bool test_run, const std::atomic<bool>& stop, std::string token)
        : _settings(settings),
          _test_run(test_run),
          _stop(stop),
          _server(settings.server, std::move(token), stop),
          _memory(recall(settings.state, settings.server.url + " " + settings.server.source + " " +
                                             settings.directory.fingerprint())) {}

    round_report go() {
        bool whole = _test_run;
        while (true) {
            const auto state = _server.state();
            if (!state) {
                return fail(state.error());
            }
            const bool same = state->changes_upon && *state->changes_upon == _memory.sequence;
            if (!whole && !same && _memory.sequence != 0) {
                process::log(process::level::info, "whole_list_next",
                             {{"remembered", _memory.sequence},
                              {"sequence", state->sequence},
                              {"reason", state->whole_because.empty() ? "the list there is not this agent's last one"
                                                                      : state->whole_because}});
            }
            whole = whole || !same || _memory.cookie.empty();
            auto pushed = read_and_push(state->sequence, whole);
            if (pushed) {
                return end(*pushed);
            }
            // Another pusher was quicker, or the list was changed there: once more, whole. Never more often.
            if (pushed.error().why != reason::other_list || std::exchange(_again, true)) {
                return fail(pushed.error());
            }
            whole = true;
            _memory = {_memory.of, 0, ""};
        }
    }

private:
    tl::expected<std::uint64_t, refusal> read_and_push(std::uint64_t base, bool whole) {
        auto lines = spool::create(_settings.state + "/list.spool");
        if (!lines) {
            return tl::unexpected(refusal{reason::refused, lines.error(), {}});
        }
        const auto fetcher = sources::ldap::make_ldap_fetcher(_settings.directory);
        const fetch_outcome read = fetcher->fetch({whole ? std::string() : _memory.cookie}, **lines, _stop);
        _report.read = read.read;
        if (read.end == fetch_outcome::end::stopped) {
            return tl::unexpected(refusal{reason::stopped, "stopped", {}});
        }
        if (const auto good = (*lines)->finish(); !good) {
            return tl::unexpected(refusal{reason::refused, good.error(), {}});
        }
        if (read.end != fetch_outcome::end::complete) {
            _directory_failed = true;
            const bool partial = read.end == fetch_outcome::end::partial;
            return tl::unexpected(refusal{reason::refused,
                                          (read.step.empty() ? "" : read.step + ": ") + read.reason +
                                              (partial ? " (the directory was read in part: nothing is pushed)" : ""),
                                          {}});
        }
        _report.whole = read.whole || (*lines)->restarted();
        _cookie = read.cookie;
        _report.sequence = base + 1;
        process::log(process::level::debug, "directory_read",
                     {{"server", read.server},
                      {"whole", _report.whole},
                      {"objects", read.read},
                      {"left_out", read.left_out},
                      {"unreadable", read.unreadable}});
        const list_push what{(*lines)->path(), _report.whole, _test_run, base};
        for (int waits = 0;; ++waits) {
            auto taken = _server.push(what);
            const bool again = !taken && taken.error().why == reason::wait && waits < most_waits &&
                               taken.error().retry_after <= longest_pause;
            if (!again) {
                return taken;
            }
            if (!_server.pause(std::max(taken.error().retry_after, seconds(1)))) {
                return tl::unexpected(refusal{reason::stopped, "stopped", {}});
            }
        }
    }

    round_report end(std::uint64_t sync) {
        _report.sync = sync;
        const auto found = _server.wait_for_end(sync);
        if (!found) {
            return fail(found.error());
        }
        _report.state = text_of(*found, "state");
        if (const auto* const counts = found->if_contains("counts"); counts != nullptr && counts->is_object()) {
            _report.added = number_of(counts->get_object(), "added");
            _report.removed = number_of(counts->get_object(), "removed");
            _report.changed = number_of(counts->get_object(), "changed");
        }
        if (_test_run) {
            if (auto changes = _server.changes(sync, shown_changes)) {
                _report.changes = *std::move(changes);
            }
        }
        if (_report.state == "succeeded") {
            remember({_memory.of, _report.sequence, _cookie});
            return std::move(_report);
        }
        if (_report.state == "previewed") {
            return std::move(_report);
        }
        _report.end = outcome::not_applied;
        _report.text = text_of(*found, "guard");
        if (_report.text.empty()) {
            _report.text = text_of(*found, "reason");
        }
        if (_report.state == "held") {
            _report.text += "; it waits for a person: posternctl sync approve " + std::to_string(sync) + ", or discard";
        }
        return std::move(_report);
    }

    /// What can't be kept is not known: the next list is a whole one.
    void remember(const memory& what) {
        if (const auto kept = keep(_settings.state, what); !kept) {
            process::log(process::level::warn, "memory_not_kept", {{"error", kept.error()}});
        }
    }

    round_report fail(const refusal& why) {
        _report.end = _directory_failed ? outcome::directory : outcome_of(why.why);
        _report.text = why.text;
        _report.retry_after = why.retry_after;
        return std::move(_report);
    }

    const configuration& _settings;
    const bool _test_run;
    const std::atomic<bool>& _stop;
    server _server;
    memory _memory;
    round_report _report;
    std::string _cookie;
    bool _again = false;
    bool _directory_failed = false;
};

}  // namespace

round_report run_round(const configuration& settings, bool test_run, const std::atomic<bool>& stop) {
    auto token = read_secret(settings.server.token_file);
    if (!token) {
        round_report out;
        out.end = outcome::token;
        out.text = token.error();
        return out;
    }
    return round(settings, test_run, stop, *std::move(token)).go();
}

}  // namespace postern::agent
