// Prints what a fetch or the test of a connection yields, one JSON object a line: for the programs that whole-process
// tests drive (ldap_fetch, microsoft365_fetch).
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <csignal>
#include <iostream>
#include <string>
#include <string_view>

#include "control/sources/fetch.h"

namespace postern::sources {

namespace json = boost::json;

inline void print(const json::object& one) {
    std::cout << json::serialize(one) << std::endl;
}

inline json::object to_json(const directory_entry& one) {
    json::array aliases;
    for (const std::string& each : one.aliases) {
        aliases.emplace_back(each);
    }
    return {{"identity", one.identity},
            {"name", one.name},
            {"address", one.address},
            {"aliases", std::move(aliases)},
            {"first_name", one.first_name},
            {"last_name", one.last_name},
            {"kind", static_cast<int>(one.kind)},
            {"internal_only", one.internal_only}};
}

inline std::string_view to_string(enum fetch_outcome::end end) {
    switch (end) {
        case fetch_outcome::end::complete:
            return "complete";
        case fetch_outcome::end::partial:
            return "partial";
        case fetch_outcome::end::failed:
            return "failed";
        case fetch_outcome::end::stopped:
            return "stopped";
    }
    return "";
}

/// Prints what it takes; after `hold` entries (0: never) it prints {"holding": true} and waits for SIGUSR1, which must
/// be blocked.
template <class Sink>
class printer : public Sink {
public:
    explicit printer(std::int64_t hold) : _hold(hold) {}

    bool entry(directory_entry&& one) override {
        print({{"entry", to_json(one)}});
        if (++_entries == _hold) {
            print({{"holding", true}});
            sigset_t waited;
            sigemptyset(&waited);
            sigaddset(&waited, SIGUSR1);
            int got = 0;
            sigwait(&waited, &got);
        }
        return true;
    }
    bool gone(std::string_view identity) override {
        print({{"gone", identity}});
        return true;
    }
    bool restart_whole() override {
        print({{"restart", true}});
        return true;
    }

private:
    std::int64_t _hold;
    std::int64_t _entries = 0;
};

inline void print_outcome(const fetch_outcome& out) {
    print({{"outcome",
            {{"end", to_string(out.end)},
             {"whole", out.whole},
             {"step", out.step},
             {"reason", out.reason},
             {"server", out.server},
             {"cookie", out.cookie},
             {"read", out.read},
             {"left_out", out.left_out},
             {"unreadable", out.unreadable}}}});
}

/// Of the document on standard input; empty if it is not there.
inline std::string text(const json::object& from, std::string_view name) {
    const json::value* const found = from.if_contains(name);
    return found == nullptr ? "" : std::string(found->as_string());
}

inline void print_settings_error(std::string_view member, std::string_view text) {
    print({{"error", {{"member", member}, {"text", text}}}});
}

/// `report` as `test_connection` gives it.
template <class Report>
void print_report(const Report& report) {
    for (const auto& each : report.steps) {
        print({{"step",
                {{"server", each.server},
                 {"name", each.name},
                 {"outcome", to_string(each.outcome)},
                 {"detail", each.detail}}}});
    }
    for (const directory_entry& each : report.entries) {
        print({{"entry", to_json(each)}});
    }
    print({{"good", report.good}});
}

}  // namespace postern::sources
