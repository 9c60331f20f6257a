// posternctl inbound: the mail servers behind the edges.
#include <CLI/CLI.hpp>
#include <charconv>
#include <iostream>
#include <memory>

#include "control/cli/commands.h"

namespace postern::cli {
namespace {

using boost::json::array;
using boost::json::object;

struct inbound_options {
    std::string name;
    std::vector<std::string> hosts;
    std::string domain;
    unsigned max_connections = 0;
    bool unprobed = false;
};

/// "mail.example.com", "192.0.2.1:2526", "[2001:db8::1]:25", each with ",PRIORITY" at the end if wanted.
object parse_host(const std::string& text) {
    std::string host = text;
    object out;
    const auto number = [&](const std::string& digits, const char* what) {
        unsigned value = 0;
        const char* const end = digits.data() + digits.size();
        const auto parsed = std::from_chars(digits.data(), end, value);
        if (digits.empty() || parsed.ec != std::errc() || parsed.ptr != end || value > 65535) {
            context::fail(status::usage, "\"" + text + "\": \"" + digits + "\" is not a " + what +
                                             "; write HOST, HOST:PORT or HOST:PORT,PRIORITY");
        }
        return value;
    };
    if (const std::size_t comma = host.rfind(','); comma != std::string::npos) {
        out["priority"] = number(host.substr(comma + 1), "priority");
        host.erase(comma);
    }
    const std::size_t colon = host.rfind(':');
    const bool bracketed = host.starts_with('[');
    const bool bare_six = !bracketed && colon != std::string::npos && host.find(':') != colon;
    if (colon != std::string::npos && !bare_six && (!bracketed || host[colon - 1] == ']')) {
        out["port"] = number(host.substr(colon + 1), "port");
        host.erase(colon);
    }
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    }
    out["host"] = host;
    return out;
}

/// By name or id; null if there is none.
boost::json::value find_inbound(context& with, const std::string& name) {
    for (boost::json::value& each : with.list(target("/v1/inbound-servers"), 0)) {
        if (text_of(each.as_object(), "name") == name || text_of(each.as_object(), "id") == name) {
            return each;
        }
    }
    return nullptr;
}

std::string need_inbound(context& with, const std::string& name) {
    const boost::json::value found = find_inbound(with, name);
    if (found.is_null()) {
        context::fail(status::refused,
                      "there is no inbound server \"" + name + "\"; posternctl inbound show lists them");
    }
    return "/v1/inbound-servers/" + text_of(found.as_object(), "id");
}

void print_probe(const object& probe) {
    const auto* const hosts = probe.if_contains("hosts");
    for (const boost::json::value& each : hosts != nullptr && hosts->is_array() ? hosts->get_array() : array{}) {
        const object& host = each.as_object();
        std::cout << text_of(host, "host") << " port " << text_of(host, "port") << '\n';
        const auto* const steps = host.if_contains("steps");
        for (const boost::json::value& step : steps != nullptr && steps->is_array() ? steps->get_array() : array{}) {
            const std::string outcome = text_of(step.as_object(), "outcome");
            const char* const mark = outcome == "good" ? "ok  " : outcome == "bad" ? "BAD " : "-   ";
            std::cout << "  " << mark << text_of(step.as_object(), "step") << ": "
                      << text_of(step.as_object(), "detail") << '\n';
        }
    }
    std::cout << (text_of(probe, "usable") == "yes" ? "usable; confirm it with: posternctl inbound confirm"
                                                    : "not usable as it is")
              << (text_of(probe, "catch_all") == "yes" ? "; it accepts unknown recipients" : "") << '\n';
}

void print_inbound(const object& of) {
    std::cout << text_of(of, "id") << "  " << text_of(of, "name") << "  "
              << (text_of(of, "confirmed") == "yes" ? "confirmed by " + text_of(of, "confirmed_by") : "not confirmed")
              << '\n';
    for (const boost::json::value& each : of.at("hosts").as_array()) {
        std::cout << "    " << text_of(each.as_object(), "host") << " port " << text_of(each.as_object(), "port")
                  << " priority " << text_of(each.as_object(), "priority") << '\n';
    }
}

/// The domain that the inbound server is for: the one given, or the one it is named after.
std::string domain_for(context& with, const inbound_options& of) {
    if (!of.domain.empty()) {
        return of.domain;
    }
    target from("/v1/domains");
    for (const boost::json::value& each : with.list(from.add("q", of.name), 0)) {
        if (text_of(each.as_object(), "name") == of.name) {
            return of.name;
        }
    }
    return {};
}

void set_inbound(context& with, const inbound_options& of) {
    array hosts;
    for (const std::string& each : of.hosts) {
        hosts.push_back(parse_host(each));
    }
    object body{{"hosts", std::move(hosts)}};
    if (of.max_connections != 0) {
        body["max_connections"] = of.max_connections;
    }
    const boost::json::value present = find_inbound(with, of.name);
    object now;
    if (present.is_null()) {
        body["name"] = of.name;
        now = with.change("POST", target("/v1/inbound-servers"), &body);
    } else {
        now = with.change("PATCH", target("/v1/inbound-servers/" + text_of(present.as_object(), "id")), &body);
    }
    const std::string domain = domain_for(with, of);
    if (!domain.empty()) {
        const object edit{{"inbound_server", now.at("id")}};
        with.change("PATCH", target("/v1/domains/" + encoded(domain)), &edit);
    }
    with.show(now, [&] {
        print_inbound(now);
        if (!domain.empty()) {
            std::cout << "mail for " << domain << " goes there" << with.change_note() << '\n';
        }
        if (text_of(now, "confirmed") != "yes") {
            std::cout << "next: posternctl inbound probe " << of.name << '\n';
        }
    });
}

void probe_inbound(context& with, const inbound_options& of) {
    const object found = with.act("POST", target(need_inbound(with, of.name) + "/probe"));
    with.show(found, [&] { print_probe(found); });
    if (text_of(found, "usable") != "yes") {
        throw stop{status::refused};
    }
}

void show_inbound(context& with, const inbound_options& of) {
    if (of.name.empty()) {
        const array rows = with.list(target("/v1/inbound-servers"), 0);
        with.show(rows, [&] {
            for (const boost::json::value& each : rows) {
                print_inbound(each.as_object());
            }
        });
        return;
    }
    const object found = with.get(target(need_inbound(with, of.name)));
    with.show(found, [&] {
        print_inbound(found);
        const auto* const probe = found.if_contains("probe");
        if (probe != nullptr && probe->is_object()) {
            std::cout << "last probe, " << text_of(found, "probed_at") << ":\n";
            print_probe(probe->get_object());
        }
    });
}

void confirm_inbound(context& with, const inbound_options& of) {
    const std::string path = need_inbound(with, of.name);
    if (!of.unprobed && with.get(target(path)).at("probed_at").is_null()) {
        const object found = with.act("POST", target(path + "/probe"));
        if (!with.json) {
            print_probe(found);
        }
    }
    const object body{{"unprobed", of.unprobed}};
    const object now = with.change("POST", target(path + "/confirm"), &body);
    with.show(now, [&] { std::cout << text_of(now, "name") << " is confirmed" << with.change_note() << '\n'; });
}

}  // namespace

void add_inbound_commands(CLI::App& to, context& with) {
    CLI::App* const inbound = to.add_subcommand("inbound", "the mail servers behind the edges");
    inbound->require_subcommand(1);
    const auto of = std::make_shared<inbound_options>();

    CLI::App* const set = inbound->add_subcommand("set", "add an inbound server, or give it other hosts");
    set->add_option("NAME", of->name, "its name; that of a served domain makes it that domain's")->required();
    set->add_option("HOST", of->hosts, "HOST, HOST:PORT or HOST:PORT,PRIORITY; one or more")->required();
    set->add_option("--domain", of->domain, "let this domain's mail go there");
    set->add_option("--max-connections", of->max_connections, "to each host at a time");
    set->callback([&with, of] { set_inbound(with, *of); });

    CLI::App* const probe = inbound->add_subcommand("probe", "try it, step by step; no mail is sent");
    probe->add_option("NAME", of->name, "its name or id")->required();
    probe->callback([&with, of] { probe_inbound(with, *of); });

    CLI::App* const confirm = inbound->add_subcommand("confirm", "confirm that mail may go there");
    confirm->add_option("NAME", of->name, "its name or id (it is probed first if it never was)")->required();
    confirm->add_flag("--unprobed", of->unprobed, "though it was not probed, or its probe failed");
    confirm->callback([&with, of] { confirm_inbound(with, *of); });

    CLI::App* const show = inbound->add_subcommand("show", "show one with its last probe, or all");
    show->add_option("NAME", of->name, "its name or id");
    show->callback([&with, of] { show_inbound(with, *of); });

    CLI::App* const remove = inbound->add_subcommand("remove", "remove one that no domain uses");
    remove->add_option("NAME", of->name, "its name or id")->required();
    remove->callback([&with, of] {
        with.change("DELETE", target(need_inbound(with, of->name)), nullptr);
        with.say(of->name + " is removed" + with.change_note());
    });
}

}  // namespace postern::cli
