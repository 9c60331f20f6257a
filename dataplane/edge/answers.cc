#include "dataplane/edge/answers.h"

#include <unistd.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "board/process/version.h"
#include "smtp/recipients/format.h"

namespace postern::edge {
namespace {

namespace json = boost::json;

/// Of one answer, unless asked for otherwise.
constexpr std::uint64_t usual_events = 1'000;

std::string done(json::object members = {}) {
    json::object out;
    out["ok"] = true;
    for (auto& member : members) {
        out[member.key()] = std::move(member.value());
    }
    return json::serialize(out);
}

json::value name_or_null(const std::string& name) {
    return name.empty() ? json::value(nullptr) : json::value(name);
}

json::object file_object(const table_file& file) {
    json::object out;
    out["file"] = file.name;
    out["generation"] = file.facts.generation;
    out["addresses"] = file.facts.addresses;
    out["domains"] = file.facts.domains;
    if (file.facts.is_overlay) {
        out["removals"] = file.facts.removals;
    }
    return out;
}

json::object pair_object(const pair_facts& pair) {
    json::object out;
    out["base"] = file_object(pair.base);
    out["overlay"] = pair.overlay ? json::value(file_object(*pair.overlay)) : json::value(nullptr);
    return out;
}

json::object names_object(const pair_facts& pair) {
    json::object out;
    out["base"] = pair.base.name;
    out["overlay"] = name_or_null(pair.overlay ? pair.overlay->name : std::string());
    out["addresses"] = pair.addresses();
    return out;
}

json::object committed_object(const table_pair& pair) {
    json::object out;
    out["generation"] = pair.generation;
    out["base"] = pair.base;
    out["overlay"] = name_or_null(pair.overlay);
    return out;
}

json::array names_array(const std::vector<std::string>& names) {
    return json::array(names.begin(), names.end());
}

std::string committed(const result<table_pair>& pair) {
    return pair ? done(committed_object(*pair)) : refusal(pair.error());
}

std::string prepare(const command& said, table_holder& holder) {
    const auto prepared = holder.prepare(said.base, said.overlay);
    if (!prepared) {
        return refusal(prepared.error());
    }
    json::object out;
    out["prepared"] = pair_object(*prepared);
    return done(std::move(out));
}

std::string diff(const table_holder& holder) {
    const auto difference = holder.difference();
    if (!difference) {
        return refusal(difference.error());
    }
    json::object out;
    out["from"] = difference->from ? json::value(names_object(*difference->from)) : json::value(nullptr);
    out["to"] = names_object(difference->to);
    out["domains_added"] = names_array(difference->domains.added);
    out["domains_removed"] = names_array(difference->domains.removed);
    out["domains_changed"] = names_array(difference->domains.changed);
    return done(std::move(out));
}

std::string show_table(const table_holder& holder) {
    const auto facts = holder.facts();
    json::object out;
    out["loaded"] = facts.has_value();
    out["generation"] = holder.remembered().in_force.generation;
    if (facts) {
        const bool own_domains = facts->overlay && facts->overlay->facts.has_domains;
        out["base"] = file_object(facts->base);
        out["overlay"] = facts->overlay ? json::value(file_object(*facts->overlay)) : json::value(nullptr);
        out["addresses"] = facts->addresses();
        out["domains"] = own_domains ? facts->overlay->facts.domains : facts->base.facts.domains;
    } else {
        out["base"] = nullptr;
        out["overlay"] = nullptr;
        out["addresses"] = 0;
        out["domains"] = 0;
    }
    // By name, whether they load or not: these files are to stay in the folder.
    json::array wanted;
    if (!holder.remembered().in_force.base.empty()) {
        wanted.push_back(committed_object(holder.remembered().in_force));
    }
    for (const table_pair& pair : holder.remembered().kept) {
        wanted.push_back(committed_object(pair));
    }
    out["manifest"] = std::move(wanted);
    json::array kept;
    for (const table_pair& pair : holder.remembered().kept) {
        kept.push_back(committed_object(pair));
    }
    out["kept"] = std::move(kept);
    const auto prepared = holder.prepared_facts();
    out["prepared"] = prepared ? json::value(pair_object(*prepared)) : json::value(nullptr);
    return done(std::move(out));
}

std::string explain(const command& said, const table_holder& holder, const process_view& view) {
    const explanation verdict = view.explain(holder.in_force().load(std::memory_order_acquire), said.address);
    json::object out;
    out["address"] = said.address;
    out["normal"] = name_or_null(verdict.normal);
    out["standing"] = name_or_null(verdict.standing);
    out["mode"] = name_or_null(verdict.mode);
    out["reply"] = name_or_null(verdict.reply);
    out["generation"] = verdict.generation;
    out["why"] = verdict.why;
    return done(std::move(out));
}

std::string show_counters(const process_view& view) {
    json::object counters;
    view.counters([&](std::string_view name, std::uint64_t value) { counters[name] = value; });
    json::object out;
    out["counters"] = std::move(counters);
    return done(std::move(out));
}

std::string show_sessions(const process_view& view) {
    json::array shards;
    std::uint64_t total = 0;
    for (const shard_report& shard : view.shards()) {
        total += shard.sessions;
        json::object one;
        one["sessions"] = shard.sessions;
        shards.push_back(std::move(one));
    }
    json::object relay;
    relay["connections"] = view.relay().connections;
    json::object out;
    out["sessions"] = total;
    out["shards"] = std::move(shards);
    out["relay"] = std::move(relay);
    return done(std::move(out));
}

std::string show_listeners(const process_view& view) {
    json::array listeners;
    for (const listener_report& each : view.listeners()) {
        json::object one;
        one["address"] = each.address;
        one["port"] = each.port;
        one["several_routes"] = each.several_routes;
        one["connections"] = each.connections;
        listeners.push_back(std::move(one));
    }
    json::object out;
    out["listeners"] = std::move(listeners);
    return done(std::move(out));
}

std::string show_version(const process_view& view) {
    json::object out;
    out["version"] = process::version;
    out["pid"] = ::getpid();
    out["uptime_s"] = view.uptime().count();
    out["format_version"] = recipients::format::version;
    return done(std::move(out));
}

/// Sixteen hex digits: JSON's numbers lose bits of it in some readers.
std::string sender_text(std::uint64_t hash) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out(16, '0');
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = digits[(hash >> (60 - 4 * i)) & 15U];
    }
    return out;
}

json::object event_object(const event& of) {
    json::object out;
    out["number"] = of.number;
    out["at"] = of.at;
    out["address"] = of.address;
    out["outcome"] = to_string(of.how);
    out["domain"] = of.domain;
    out["source"] = network_text(of.source);
    if (of.sender != 0) {
        out["sender"] = sender_text(of.sender);
    }
    if (!of.judged_by.empty()) {
        out["judged_by"] = of.judged_by;
    }
    if (!of.why.empty()) {
        out["why"] = of.why;
    }
    return out;
}

std::string recent_events(const command& said, const event_log& log) {
    const auto& kept = log.kept();
    const auto most =
        static_cast<std::size_t>(std::min<std::uint64_t>(said.most.value_or(usual_events), event_log::most_at_once));
    json::array events;
    if (!kept.empty()) {
        // Numbers have no gaps.
        const std::uint64_t first = kept.front().number;
        const std::uint64_t skipped = said.since < first ? 0 : said.since - first + 1;
        for (std::size_t i = std::min<std::uint64_t>(skipped, kept.size()); i < kept.size() && events.size() < most;
             ++i) {
            events.push_back(event_object(kept[i]));
        }
    }
    const event_counts counts = log.counts();
    json::object out;
    out["run"] = log.run();
    out["last"] = counts.seen;
    out["overwritten"] = counts.overwritten;
    out["missed"] = counts.missed;
    out["events"] = std::move(events);
    return done(std::move(out));
}

json::value show(const port_report& port) {
    json::object link;
    link["up"] = port.link_up;
    link["mbps"] = port.link_mbps == 0 ? json::value() : json::value(port.link_mbps);
    link["changes"] = port.link_changes;
    json::object out;
    out["device"] = port.device;
    out["driver"] = port.driver;
    out["mac"] = port.mac;
    out["mtu"] = port.mtu;
    out["shards"] = port.shards;
    out["queues"] = port.queues;
    out["huge_pages"] = port.huge_pages;
    out["spread_by"] = port.spread_by;
    out["sleeps_by"] = port.sleeps_by;
    out["twin"] = port.twin.empty() ? json::value() : json::value(port.twin);
    out["link"] = std::move(link);
    return out;
}

std::string show_port(const process_view& view) {
    const auto port = view.port();
    json::object out;
    out["port"] = port ? show(*port) : json::value();
    return done(std::move(out));
}

std::string show_capture(const capture_report& capture) {
    json::object one;
    one["file"] = capture.file;
    one["state"] = capture.state;
    one["frames"] = capture.frames;
    one["octets"] = capture.octets;
    one["lost"] = capture.lost;
    json::object out;
    out["capture"] = capture.file.empty() ? json::value() : json::value(std::move(one));
    return done(std::move(out));
}

std::string start_capture(const command& said, process_view& view) {
    const auto file = view.start_capture(said);
    if (!file) {
        return refusal(file.error());
    }
    json::object out;
    out["file"] = *file;
    return done(std::move(out));
}

std::string stop_capture(process_view& view) {
    const auto ended = view.stop_capture();
    return ended ? show_capture(*ended) : refusal(ended.error());
}

std::string help() {
    json::array forms;
    for (const std::string_view form : command_forms()) {
        forms.push_back(json::value(form));
    }
    json::object out;
    out["commands"] = std::move(forms);
    return done(std::move(out));
}

}  // namespace

std::string refusal(std::string_view error) {
    json::object out;
    out["ok"] = false;
    out["error"] = error;
    return json::serialize(out);
}

bool needs_table(verb what) noexcept {
    switch (what) {
        case verb::table_prepare:
        case verb::table_diff:
        case verb::table_commit:
        case verb::table_rollback:
        case verb::table_discard:
        case verb::show_table:
        case verb::explain:
            return true;
        case verb::show_counters:
        case verb::show_sessions:
        case verb::show_listeners:
        case verb::show_version:
        case verb::show_port:
        case verb::show_capture:
        case verb::capture_start:
        case verb::capture_stop:
        case verb::events:
        case verb::events_acknowledge:
        case verb::drain:
        case verb::help:
        case verb::quit:
            return false;
    }
    return false;
}

std::string answer_table(const command& said, table_holder& holder, const process_view& view) {
    switch (said.what) {
        case verb::table_prepare:
            return prepare(said, holder);
        case verb::table_diff:
            return diff(holder);
        case verb::table_commit:
            return committed(holder.commit(said.number));
        case verb::table_rollback:
            return committed(holder.rollback(said.number.value_or(1)));
        case verb::table_discard:
            holder.discard();
            return done();
        case verb::show_table:
            return show_table(holder);
        case verb::explain:
            return explain(said, holder, view);
        case verb::show_counters:
        case verb::show_sessions:
        case verb::show_listeners:
        case verb::show_version:
        case verb::show_port:
        case verb::show_capture:
        case verb::capture_start:
        case verb::capture_stop:
        case verb::events:
        case verb::events_acknowledge:
        case verb::drain:
        case verb::help:
        case verb::quit:
            break;
    }
    return refusal("this command does not concern the table");
}

std::string answer(const command& said, process_view& view) {
    switch (said.what) {
        case verb::show_counters:
            return show_counters(view);
        case verb::show_sessions:
            return show_sessions(view);
        case verb::show_listeners:
            return show_listeners(view);
        case verb::show_version:
            return show_version(view);
        case verb::show_port:
            return show_port(view);
        case verb::show_capture:
            return show_capture(view.capture());
        case verb::capture_start:
            return start_capture(said, view);
        case verb::capture_stop:
            return stop_capture(view);
        case verb::events:
            return recent_events(said, view.events());
        case verb::events_acknowledge:
            view.events().acknowledge(*said.number);
            return done();
        case verb::drain:
            view.drain();
            return done();
        case verb::help:
            return help();
        case verb::quit:
            return done();
        case verb::table_prepare:
        case verb::table_diff:
        case verb::table_commit:
        case verb::table_rollback:
        case verb::table_discard:
        case verb::show_table:
        case verb::explain:
            break;
    }
    return refusal("this command concerns the table");
}

}  // namespace postern::edge
