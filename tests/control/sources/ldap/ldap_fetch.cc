// Fetches from a directory and prints what the sync would get, one JSON object a line: what the whole-process tests
// drive.
//
//   ldap_fetch fetch  < settings.json     entries, then {"outcome": …}
//   ldap_fetch follow < settings.json     entries and {"batch": …} until SIGTERM or the connection's end
//   ldap_fetch test   < settings.json     the steps
//
// The settings' document may have, beside "settings": "password", "client_key", "cookie", and "hold": after so many
// entries it prints {"holding": true} and waits for a signal SIGUSR1.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <csignal>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>

#include "control/sources/ldap/ldap.h"

namespace {

using namespace postern::sources;
namespace json = boost::json;

std::atomic<bool> stop{false};

void print(const json::object& one) {
    std::cout << json::serialize(one) << std::endl;
}

json::object to_json(const directory_entry& one) {
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

std::string_view to_string(enum fetch_outcome::end end) {
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

class printer final : public ldap::follow_sink {
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
    bool batch(std::string_view cookie, bool whole) override {
        print({{"batch", {{"cookie", cookie}, {"whole", whole}}}});
        return true;
    }

private:
    std::int64_t _hold;
    std::int64_t _entries = 0;
};

void print_outcome(const fetch_outcome& out) {
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

std::string text(const json::object& from, std::string_view name) {
    const json::value* const found = from.if_contains(name);
    return found == nullptr ? "" : std::string(found->as_string());
}

int run(std::string_view command) {
    const std::string input{std::istreambuf_iterator<char>(std::cin), {}};
    const json::object document = json::parse(input).as_object();
    const auto settings =
        ldap::parse(document.at("settings").as_object(), {text(document, "password"), text(document, "client_key")});
    if (!settings) {
        print({{"error", {{"member", settings.error().member}, {"text", settings.error().text}}}});
        return 2;
    }
    if (command == "test") {
        const ldap::test_report report = ldap::test_connection(*settings, stop);
        for (const ldap::test_step& each : report.steps) {
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
        return 0;
    }
    const json::value* const hold = document.if_contains("hold");
    printer into(hold == nullptr ? 0 : hold->as_int64());
    const fetch_request request{text(document, "cookie")};
    print_outcome(command == "follow" ? ldap::follow(*settings, request, into, stop)
                                      : ldap::make_ldap_fetcher(*settings)->fetch(request, into, stop));
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, nullptr);
    std::signal(SIGTERM, [](int) { stop = true; });
    std::signal(SIGPIPE, SIG_IGN);
    if (argc != 2) {
        std::cerr << "usage: ldap_fetch fetch|follow|test < settings.json\n";
        return 2;
    }
    return run(argv[1]);
}
