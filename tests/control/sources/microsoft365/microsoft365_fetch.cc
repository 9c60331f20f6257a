// Fetches from Microsoft 365 and prints what the sync would get, one JSON object a line: what the whole-process tests
// drive.
//
//   microsoft365_fetch fetch < settings.json     entries, then {"outcome": …}
//   microsoft365_fetch test  < settings.json     the steps
//
// The settings' document may have, beside "settings": "client_secret", "client_key", "proxy_password", "cookie",
// "denied" (an address that the egress policy does not allow) and "hold": after so many entries it prints
// {"holding": true} and waits for a signal SIGUSR1.
#include <atomic>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <csignal>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>

#include "control/sources/microsoft365/microsoft365.h"
#include "tests/control/sources/fetch_printer.h"

namespace {

using namespace postern::sources;

std::atomic<bool> stop{false};

int run(std::string_view command) {
    const std::string input{std::istreambuf_iterator<char>(std::cin), {}};
    const json::object document = json::parse(input).as_object();
    const auto settings = microsoft365::parse(
        document.at("settings").as_object(),
        {text(document, "client_secret"), text(document, "client_key"), text(document, "proxy_password")});
    if (!settings) {
        print_settings_error(settings.error().member, settings.error().text);
        return 2;
    }
    const egress_policy policy = [denied = text(document, "denied")](std::string_view address) {
        return address != denied;
    };
    if (command == "test") {
        print_report(microsoft365::test_connection(*settings, stop, policy));
        return 0;
    }
    const json::value* const hold = document.if_contains("hold");
    printer<entry_sink> into(hold == nullptr ? 0 : hold->as_int64());
    const fetch_request request{text(document, "cookie")};
    print_outcome(microsoft365::make_fetcher(*settings, policy)->fetch(request, into, stop));
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
        std::cerr << "usage: microsoft365_fetch fetch|test < settings.json\n";
        return 2;
    }
    return run(argv[1]);
}
