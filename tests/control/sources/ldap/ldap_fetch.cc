// Fetches from a directory and prints what the sync would get, one JSON object a line: what the whole-process tests
// drive.
//
//   ldap_fetch fetch  < settings.json     entries, then {"outcome": …}
//   ldap_fetch follow < settings.json     entries and {"batch": …} until SIGTERM or the connection's end
//   ldap_fetch test   < settings.json     the steps
//
// The settings' document may have, beside "settings": "password", "client_key", "cookie", and "hold": after so many
// entries it prints {"holding": true} and waits for a signal SIGUSR1.
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <csignal>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>

#include "control/sources/ldap/ldap.h"
#include "tests/control/sources/fetch_printer.h"

namespace {

using namespace postern::sources;
std::atomic<bool> stop{false};

class batch_printer final : public printer<ldap::follow_sink> {
public:
    using printer::printer;
    bool batch(std::string_view cookie, bool whole) override {
        print({{"batch", {{"cookie", cookie}, {"whole", whole}}}});
        return true;
    }
};

int run(std::string_view command) {
    const std::string input{std::istreambuf_iterator<char>(std::cin), {}};
    const json::object document = json::parse(input).as_object();
    const auto settings =
        ldap::parse(document.at("settings").as_object(), {text(document, "password"), text(document, "client_key")});
    if (!settings) {
        print_settings_error(settings.error().member, settings.error().text);
        return 2;
    }
    if (command == "test") {
        print_report(ldap::test_connection(*settings, stop));
        return 0;
    }
    const json::value* const hold = document.if_contains("hold");
    batch_printer into(hold == nullptr ? 0 : hold->as_int64());
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
