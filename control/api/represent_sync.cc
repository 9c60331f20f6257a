#include "control/api/represent_sync.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "control/api/encode.h"
#include "control/api/times.h"
#include "control/directory/mailboxes.h"

#include "control/api/notices_body.h"

namespace postern::api {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

/// What a directory spells may be any octets.
value text_or_null(const std::string& text) {
    return text.empty() ? value(nullptr) : value(printable_utf8(text));
}

value id_or_null(std::uint64_t id) {
    return id == 0 ? value(nullptr) : value(id);
}

array texts(const std::vector<std::string>& from) {
    array out;
    for (const std::string& each : from) {
        out.emplace_back(printable_utf8(each));
    }
    return out;
}

}  // namespace

object represent(const sync::directory_source& of) {
    object out;
    out["id"] = of.id;
    out["name"] = of.name;
    out["type"] = of.type;
    out["organisation"] = of.organisation;
    out["enabled"] = of.set.enabled;
    out["interval_minutes"] = of.set.interval.count();
    boost::json::error_code failed;
    value settings = boost::json::parse(of.set.settings, failed);
    out["settings"] = failed ? value(object()) : std::move(settings);
    const sync::guard_limits& limits = of.set.limits;
    out["limits"] = object{{"removed_count", limits.removed_count}, {"removed_percent", limits.removed_percent},
                           {"added_count", limits.added_count},     {"added_percent", limits.added_percent},
                           {"total_count", limits.total_count},     {"floor", limits.floor}};
    out["grace_seconds"] = of.set.grace.count();
    out["freshness_seconds"] = of.set.freshness.count();
    out["fallback_to_defer"] = of.set.fallback_to_defer;
    out["notify"] = represent(of.set.notify);
    out["has_secrets"] = of.has_secret;
    out["has_webhook_secret"] = of.has_webhook_secret;
    const sync::source_state& state = of.state;
    out["state"] = object{{"next_sync", time_value(state.next_run)},  {"last_start", time_value(state.last_start)},
                          {"last_good", time_value(state.last_good)}, {"failures", state.failures},
                          {"out_of_date", state.out_of_date},         {"running", id_or_null(state.running)},
                          {"held", id_or_null(state.held)},           {"last_sync", id_or_null(state.last_run)},
                          {"trouble", text_or_null(state.trouble)},   {"addresses", state.asserted}};
    out["created"] = time_value(of.created);
    out["updated"] = time_value(of.updated);
    return out;
}

object represent(const sync::sync_run& of) {
    const sync::run_counts& counts = of.counts;
    return {{"id", of.id},
            {"source", of.source},
            {"source_name", of.source_name},
            {"organisation", of.organisation},
            {"state", sync::to_string(of.state)},
            {"dry", of.dry},
            {"whole", of.whole},
            {"by", of.who},
            {"why", text_or_null(of.why)},
            {"step", text_or_null(of.step)},
            {"reason", text_or_null(of.reason)},
            {"guard", text_or_null(of.guard)},
            {"server", text_or_null(of.server)},
            {"additions_applied", of.additions_applied},
            {"removals_applied", of.removals_applied},
            {"counts", object{{"read", counts.read},
                              {"left_out", counts.left_out},
                              {"foreign", counts.foreign},
                              {"unusable", counts.unusable},
                              {"before", counts.before},
                              {"added", counts.added},
                              {"removed", counts.removed},
                              {"changed", counts.changed},
                              {"moved", counts.moved}}},
            {"decided_by", text_or_null(of.decided_by)},
            {"change", id_or_null(of.seq)},
            {"started", time_value(of.started)},
            {"fetched", time_value(of.fetched)},
            {"applied", time_value(of.applied)},
            {"in_force", time_value(of.in_force)},
            {"ended", time_value(of.ended)}};
}

object represent(const sync::push_state& of) {
    return {{"sequence", id_or_null(of.sequence)},
            {"sync", id_or_null(of.run)},
            {"changes_upon", id_or_null(of.changes.value_or(0))},
            {"whole_because", text_or_null(of.whole_because)}};
}

object represent(const sync::diff_item& of) {
    return {{"id", of.id},
            {"what", sync::to_string(of.what)},
            {"address", text_or_null(of.address)},
            {"object", text_or_null(of.object)},
            {"before", text_or_null(of.before)},
            {"after", text_or_null(of.after)}};
}

object represent(const sync::run_problem& of) {
    return {{"id", of.id},
            {"address", text_or_null(of.address)},
            {"object", text_or_null(of.object)},
            {"reason", printable_utf8(of.reason)}};
}

object represent(const sync::restore_report& of) {
    array items;
    for (const sync::restore_item& each : of.items) {
        items.push_back(object{{"address", printable_utf8(each.address)},
                               {"source", each.source},
                               {"what", each.returns ? "returns" : "leaves"}});
    }
    return {{"returning", of.returning},
            {"leaving", of.leaving},
            {"items", std::move(items)},
            {"paused", texts(of.paused)},
            {"applied", of.applied}};
}

object represent(const sources::test_report& of) {
    array steps;
    for (const sources::test_step& each : of.steps) {
        steps.push_back(object{{"server", printable_utf8(each.server)},
                               {"step", each.name},
                               {"outcome", sources::to_string(each.outcome)},
                               {"detail", printable_utf8(each.detail)}});
    }
    array entries;
    for (const sources::directory_entry& each : of.entries) {
        entries.push_back(object{{"object", printable_utf8(each.name)},
                                 {"identity", printable_utf8(each.identity)},
                                 {"address", printable_utf8(each.address)},
                                 {"aliases", texts(each.aliases)},
                                 {"first_name", text_or_null(each.first_name)},
                                 {"last_name", text_or_null(each.last_name)},
                                 {"kind", directory::to_string(each.kind)},
                                 {"internal_only", each.internal_only}});
    }
    return {{"good", of.good},
            {"server", text_or_null(of.server)},
            {"steps", std::move(steps)},
            {"entries", std::move(entries)}};
}

}  // namespace postern::api
