// What the edges saw lately: recent recipients, readiness for `enforce`, and what a list would have refused.
#include <fcntl.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <utility>

#include "board/process/files.h"
#include "control/api/handlers.h"
#include "control/api/inbound.h"
#include "control/api/lookups.h"
#include "control/api/represent.h"
#include "control/recent/readiness.h"
#include "control/recent/what_if.h"

namespace postern::api {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

constexpr std::int64_t day_ms = 86'400'000;
constexpr std::int64_t usual_days = 14;
constexpr std::int64_t most_days = 30;
constexpr std::int64_t usual_addresses = 100;
constexpr std::int64_t most_addresses = 10'000;

object represent(const recent::seen_address& of) {
    object counts;
    for (std::size_t i = 0; i < recent::outcomes; ++i) {
        if (of.counts.at(i) != 0) {
            counts[recent::to_string(static_cast<recent::outcome>(i))] = of.counts.at(i);
        }
    }
    return {{"address", of.address},
            {"times", of.times()},
            {"first", time_value(of.first)},
            {"last", time_value(of.last)},
            {"last_outcome", recent::to_string(of.last_outcome)},
            {"last_source", of.last_source},
            {"outcomes", std::move(counts)}};
}

object represent(const recent::what_if_result& of) {
    array addresses;
    for (const recent::seen_address& each : of.addresses) {
        addresses.push_back(represent(each));
    }
    return {{"recipients", of.recipients},       {"taken", of.taken},   {"refused", of.refused},
            {"refused_times", of.refused_times}, {"missed", of.missed}, {"addresses", std::move(addresses)}};
}

array represent(const std::vector<recent::finding>& of) {
    array out;
    for (const recent::finding& each : of) {
        out.push_back(object{{"code", each.code}, {"text", each.text}});
    }
    return out;
}

value flag_or_null(const std::optional<bool>& of) {
    return of ? value(*of) : value(nullptr);
}

object represent(const recent::readiness& of) {
    object out;
    out["ready"] = of.ready;
    out["reasons"] = represent(of.reasons);
    out["warnings"] = represent(of.warnings);
    out["list"] = api::represent(of.list);
    out["list_changed"] = time_value(of.list_changed);
    array sources;
    for (const recent::asserting_source& each : of.sources) {
        sources.push_back(
            object{{"name", each.name}, {"addresses", each.addresses}, {"newest", time_value(each.newest)}});
    }
    out["sources"] = std::move(sources);
    if (of.server) {
        out["inbound_server"] = object{{"id", of.server->id},
                                       {"name", of.server->name},
                                       {"confirmed", of.server->confirmed != 0},
                                       {"probed_at", time_value(of.server->probed)},
                                       {"catch_all", of.answers.catch_all.value_or(of.server->catch_all)},
                                       {"postmaster", flag_or_null(of.answers.postmaster)},
                                       {"abuse", flag_or_null(of.answers.abuse)}};
    } else {
        out["inbound_server"] = nullptr;
    }
    out["seen_first"] = time_value(of.seen_first);
    out["seen_last"] = time_value(of.seen_last);
    out["recent"] = represent(of.recent);
    return out;
}

problem not_kept() {
    return unavailable("Recent recipients are not kept by this postern-control: its log says why.");
}

/// `days` and `limit` of the query.
struct look_back {
    directory::timestamp since = 0;
    std::size_t addresses = 0;
};
look_back read_look_back(const service& with, call& of) {
    look_back out;
    out.since = with.store.now() - of.parameters.number("days", 1, most_days).value_or(usual_days) * day_ms;
    out.addresses =
        static_cast<std::size_t>(of.parameters.number("limit", 0, most_addresses).value_or(usual_addresses));
    return out;
}

/// What all of a server's hosts say together: a refusal by one counts, for mail may go there.
void merge(std::optional<bool>& into, const std::optional<bool>& one) {
    if (one) {
        into = into.value_or(true) && *one;
    }
}

recent::server_answers answers_of(const probe::finding& found) {
    recent::server_answers out;
    for (const probe::host_finding& host : found.hosts) {
        if (host.catch_all) {
            out.catch_all = out.catch_all.value_or(false) || *host.catch_all;
        }
        merge(out.postmaster, host.postmaster);
        merge(out.abuse, host.abuse);
    }
    return out;
}

/// The same from a probe that was kept.
std::optional<bool> kept_answer(const directory::route& of, std::string_view name) {
    std::optional<bool> out;
    const object probe = probe_object(of);
    const value* const hosts = probe.if_contains("hosts");
    if (hosts == nullptr || !hosts->is_array()) {
        return out;
    }
    for (const value& host : hosts->get_array()) {
        const value* const said = host.is_object() ? host.get_object().if_contains(name) : nullptr;
        if (said != nullptr && said->is_bool()) {
            merge(out, said->get_bool());
        }
    }
    return out;
}

/// What both questions "what if" begin with. The caller has taken its own parameters before.
struct what_if_question {
    look_back back;
    directory::reader in;
    directory::domain domain;
};
answer<what_if_question> read_what_if(service& with, call& of) {
    const look_back back = read_look_back(with, of);
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    auto in = with.store.read();
    if (!in) {
        return failure(in);
    }
    auto domain = domain_argument(*in, of, false);
    if (!domain) {
        return failure(domain);
    }
    if (with.recent == nullptr) {
        return tl::unexpected(not_kept());
    }
    return what_if_question{back, *std::move(in), *std::move(domain)};
}

}  // namespace

answer<response> list_recent_recipients(service& with, directory::reader& in, call& of) {
    const page_request page = of.parameters.paging({"-last"});
    const auto days = of.parameters.number("days", 1, most_days).value_or(most_days);
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto domain = domain_argument(in, of, false);
    if (!domain) {
        return failure(domain);
    }
    if (with.recent == nullptr) {
        return tl::unexpected(not_kept());
    }
    const auto found = with.recent->list(domain->id, with.store.now() - days * day_ms, to_directory(page));
    if (!found) {
        return failure(found);
    }
    return list_response(*found, page, [](const recent::seen_address& each) { return represent(each); });
}

answer<response> get_readiness(service& with, call& of) {
    const look_back back = read_look_back(with, of);
    const bool probe = of.parameters.flag("probe").value_or(false);
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    if (with.recent == nullptr) {
        return tl::unexpected(not_kept());
    }
    recent::readiness_question question;
    question.since = back.since;
    question.addresses = back.addresses;
    std::optional<directory::route> server;
    std::string name;
    {
        const auto in = with.store.read();
        if (!in) {
            return failure(in);
        }
        const auto domain = domain_argument(*in, of, false);
        if (!domain) {
            return failure(domain);
        }
        name = domain->name;
        if (domain->route != 0) {
            auto found = directory::find_route(*in, domain->route);
            if (!found) {
                return failure(found);
            }
            server = std::move(*found);
        }
    }
    if (server && probe) {
        question.probed = answers_of(with.prober.run(server->hosts, name));
    } else if (server) {
        question.probed.postmaster = kept_answer(*server, "postmaster");
        question.probed.abuse = kept_answer(*server, "abuse");
    }
    const auto in = with.store.read();
    if (!in) {
        return failure(in);
    }
    const auto domain = domain_argument(*in, of, false);
    if (!domain) {
        return failure(domain);
    }
    const auto found = recent::assess(*in, *with.recent, *domain, with.store.now(), std::move(question));
    if (!found) {
        return failure(found);
    }
    object body{{"domain", domain->name}, {"mode", directory::to_string(domain->mode)}};
    body["since"] = time_value(back.since);
    for (auto& member : represent(*found)) {
        body[member.key()] = std::move(member.value());
    }
    return json(200, body);
}

answer<response> get_what_if(service& with, call& of) {
    const auto asked = read_what_if(with, of);
    if (!asked) {
        return tl::unexpected(asked.error());
    }
    const auto& [back, in, domain] = *asked;
    const auto found =
        recent::what_if(*with.recent, domain.settings, back.since, recent::present_list(in, domain.id), back.addresses);
    if (!found) {
        return failure(found);
    }
    object body = represent(*found);
    body["since"] = time_value(back.since);
    body["list"] = "present";
    return json(200, body);
}

answer<response> ask_what_if(service& with, call& of) {
    const bool with_present = of.parameters.flag("with_present").value_or(false);
    const auto asked = read_what_if(with, of);
    if (!asked) {
        return tl::unexpected(asked.error());
    }
    const auto& [back, in, domain] = *asked;
    std::vector<std::string> names{domain.name};
    directory::domain_filter filter;
    filter.alias = true;
    filter.target = domain.id;
    const auto aliases = directory::list_domains(in, filter, {"", 1000});
    if (!aliases) {
        return failure(aliases);
    }
    for (const directory::domain& each : aliases->items) {
        names.push_back(each.name);
    }
    recent::candidate_list list(std::move(names));
    const process::descriptor file(::open(of.asked.upload.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) {
        return tl::unexpected(internal("the upload can't be read"));
    }
    const auto read = list.read(sources::from_descriptor(file.get(), "the list"));
    if (!read) {
        return failure(read);
    }
    const recent::local_list present = recent::present_list(in, domain.id);
    const auto found = recent::what_if(
        *with.recent, domain.settings, back.since,
        [&](std::string_view local) { return list.contains(local) || (with_present && present(local)); },
        back.addresses);
    if (!found) {
        return failure(found);
    }
    object body = represent(*found);
    body["since"] = time_value(back.since);
    body["list"] = with_present ? "candidate and present" : "candidate";
    body["candidate"] = object{{"rows", read->rows},
                               {"addresses", list.size()},
                               {"elsewhere", read->elsewhere},
                               {"unreadable", read->unreadable}};
    return json(200, body);
}

}  // namespace postern::api
