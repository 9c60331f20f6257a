#include "control/cli/source_options.h"

#include <CLI/CLI.hpp>
#include <array>
#include <boost/json/array.hpp>
#include <charconv>
#include <cstdint>
#include <iostream>
#include <iterator>

#include "board/process/files.h"
#include "control/cli/context.h"

namespace postern::cli {
namespace {

using boost::json::object;

enum class form : std::uint8_t { text, list, number, yes_no, file, secret_file };

struct option {
    const char* name;
    const char* section;  ///< the body's member that holds it; empty: the body itself
    const char* member;
    form as;
    const char* help;
};

constexpr std::size_t longest_file = 64U << 10U;
constexpr const char* settings = "settings";
constexpr const char* secrets = "secrets";
constexpr const char* limits = "limits";
constexpr const char* notify = "notify";

constexpr std::array options{
    option{"--preset", settings, "preset", form::text, "begin with these settings: posternctl source presets"},
    option{"--server", settings, "servers", form::list, "HOST or HOST:PORT; more than one are tried in order"},
    option{"--security", settings, "security", form::text, "starttls, ldaps or none"},
    option{"--ca-file", settings, "ca_certificates", form::file,
           "PEM file of the authorities that its certificate may have"},
    option{"--sign-in", settings, "sign_in", form::text,
           "password, certificate or anonymous; Microsoft 365: secret or certificate"},
    option{"--bind-name", settings, "bind_name", form::text, "DN or user@domain to sign in with"},
    option{"--password-file", secrets, "password", form::secret_file,
           "file with the password; - is the standard input"},
    option{"--client-certificate", settings, "client_certificate", form::file, "PEM file of the client certificate"},
    option{"--client-key", secrets, "client_key", form::file, "PEM file of its key"},
    option{"--base", settings, "base", form::text, "DN below which is searched"},
    option{"--filter", settings, "filter", form::text, "which objects"},
    option{"--mail-attribute", settings, "mail_attribute", form::text, "attribute of addresses"},
    option{"--alias-attribute", settings, "alias_attributes", form::list, "attribute of further addresses"},
    option{"--list-attribute", settings, "list_attribute", form::text, "attribute that tells a distribution list"},
    option{"--list-value", settings, "list_value", form::text, "by a value that matches this pattern"},
    option{"--tenant", settings, "tenant", form::text, "Microsoft 365: the tenant's id or one of its domains"},
    option{"--client-id", settings, "client_id", form::text, "Microsoft 365: id of the registered application"},
    option{"--client-secret-file", secrets, "client_secret", form::secret_file,
           "file with the application's secret; - is the standard input"},
    option{"--cloud", settings, "cloud", form::text, "global, us_government, us_defense or china"},
    option{"--login-url", settings, "login_url", form::text, "URL of the host that signs in, instead of the cloud's"},
    option{"--graph-url", settings, "graph_url", form::text, "URL of Microsoft Graph, instead of the cloud's"},
    option{"--proxy", settings, "proxy", form::text, "http://HOST:PORT or https://HOST:PORT"},
    option{"--proxy-user", settings, "proxy_user", form::text, "who signs in there"},
    option{"--proxy-password-file", secrets, "proxy_password", form::secret_file, "file with the password"},
    option{"--groups", settings, "groups", form::yes_no, "Microsoft 365: mail-enabled groups too"},
    option{"--user-principal-names", settings, "user_principal_names", form::yes_no,
           "Microsoft 365: take userPrincipalName as an address"},
    option{"--disabled", settings, "disabled", form::text,
           "Microsoft 365: disabled accounts: take, take_unlicensed or leave_out"},
    option{"--exclude", settings, "exclude", form::list, "pattern of addresses or DNs to leave out"},
    option{"--exclude-disabled", settings, "exclude_disabled", form::yes_no, "leave out disabled accounts"},
    option{"--ignore-referrals", settings, "ignore_referrals", form::yes_no, "leave out what other servers hold"},
    option{"--connect-timeout", settings, "connect_timeout_s", form::number,
           "seconds for each of name, TCP, TLS, sign-in"},
    option{"--answer-timeout", settings, "answer_timeout_s", form::number, "seconds of silence during a search"},
    option{"--fetch-timeout", settings, "fetch_timeout_s", form::number, "seconds for a whole fetch"},
    option{"--page-size", settings, "page_size", form::number, "objects to a page"},
    option{"--changes", settings, "changes", form::text, "auto, none, dirsync, usn or syncrepl"},
    option{"--whole-every", settings, "whole_every_hours", form::number, "hours; the whole is read at least so often"},
    option{"--persist", settings, "persist", form::yes_no,
           "stay connected, and sync when the directory tells of a change"},
    option{"--domain", settings, "domains", form::list, "push: domain whose addresses it asserts; none: all"},
    option{"--pushes-per-hour", settings, "pushes_per_hour", form::number, "push: lists taken in an hour; 0: no limit"},
    option{"--enabled", "", "enabled", form::yes_no, "sync by schedule"},
    option{"--every", "", "interval_minutes", form::number, "minutes between syncs"},
    option{"--grace", "", "grace_seconds", form::number, "seconds that an address stays good after a sync took it"},
    option{"--freshness", "", "freshness_seconds", form::number,
           "seconds since the last complete sync, then an alarm; 0: none"},
    option{"--fallback-to-defer", "", "fallback_to_defer", form::yes_no, "beyond it, enforce becomes defer"},
    option{"--max-removed", limits, "removed_count", form::number, "removals in 24 hours; 0: no limit"},
    option{"--max-removed-percent", limits, "removed_percent", form::number, "the same in percent of the list"},
    option{"--max-added", limits, "added_count", form::number, "additions of a sync; 0: no limit"},
    option{"--max-added-percent", limits, "added_percent", form::number, "the same in percent of the list"},
    option{"--max-total", limits, "total_count", form::number, "addresses in all; 0: no limit"},
    option{"--floor", limits, "floor", form::number, "so many changes are never held by a percentage"},
    option{"--webhook", notify, "webhook", form::text, "URL that is told; empty: none"},
    option{"--webhook-secret-file", "", "webhook_secret", form::secret_file,
           "file with the secret that signs what it is told"},
    option{"--email", notify, "emails", form::list, "address that is told"},
    option{"--tell-additions", notify, "additions", form::yes_no, "tell when a sync added addresses"},
    option{"--tell-changes", notify, "changes", form::yes_no, "tell when a sync removed or changed some"},
    option{"--tell-trouble", notify, "trouble", form::yes_no, "tell of trouble, and that it is over"},
};

boost::json::value value_of(const option& of, const std::vector<std::string>& given) {
    const std::string& last = given.back();
    switch (of.as) {
        case form::text:
            return boost::json::value(last);
        case form::list: {
            boost::json::array out;
            for (const std::string& each : given) {
                if (!each.empty()) {
                    out.emplace_back(each);
                }
            }
            return out;
        }
        case form::number: {
            std::uint64_t number = 0;
            const char* const end = last.data() + last.size();
            const auto parsed = std::from_chars(last.data(), end, number);
            if (parsed.ec != std::errc() || parsed.ptr != end) {
                context::fail(status::usage, std::string(of.name) + " takes a whole number, not \"" + last + "\"");
            }
            return boost::json::value(number);
        }
        case form::yes_no:
            if (last != "true" && last != "false") {
                context::fail(status::usage, std::string(of.name) + " takes true or false, not \"" + last + "\"");
            }
            return boost::json::value(last == "true");
        case form::file:
            return boost::json::value(read_whole(last, false));
        case form::secret_file:
            return boost::json::value(read_whole(last, true));
    }
    return {};
}

}  // namespace

std::string read_whole(const std::string& file, bool secret) {
    std::string content;
    if (file == "-") {
        content.assign(std::istreambuf_iterator<char>(std::cin), {});
    } else {
        auto read = process::read_file(file, longest_file);
        if (!read) {
            context::fail(status::usage, read.error());
        }
        content = std::move(*read);
    }
    if (secret) {
        content.erase(content.find_last_not_of("\r\n") + 1);
    }
    return content;
}

std::string full_source_name(const std::string& name, const std::string& type) {
    const bool number = name.find_first_not_of("0123456789") == std::string::npos;
    return number || name.find(':') != std::string::npos ? name : type + ":" + name;
}

std::shared_ptr<given_options> add_source_options(CLI::App& to, bool everything) {
    auto out = std::make_shared<given_options>();
    for (const option& each : options) {
        const std::string_view section = each.section;
        if (!everything && section != settings && section != secrets) {
            continue;
        }
        std::string help = each.help;
        if (each.as == form::list) {
            help += " (may be given again; the whole new set)";
        } else if (each.as == form::yes_no) {
            help += " (true or false)";
        }
        to.add_option_function<std::vector<std::string>>(
              each.name, [out, name = each.name](const std::vector<std::string>& values) { (*out)[name] = values; },
              help)
            ->expected(1)
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    }
    return out;
}

object source_body(const given_options& from) {
    object out;
    for (const option& each : options) {
        const auto given = from.find(each.name);
        if (given == from.end() || given->second.empty()) {
            continue;
        }
        boost::json::value value = value_of(each, given->second);
        const std::string_view section = each.section;
        if (section.empty()) {
            out[each.member] = std::move(value);
            continue;
        }
        boost::json::value& into = out[section];
        if (!into.is_object()) {
            into = object();
        }
        into.get_object()[each.member] = std::move(value);
    }
    return out;
}

}  // namespace postern::cli
