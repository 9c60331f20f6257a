#include "control/sync/push.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <limits>

#include "control/directory/connection.h"
#include "control/sources/settings_reader.h"
#include "control/sync/push_rows.h"
#include "control/sync/source_rows.h"
#include "smtp/recipients/address.h"

namespace postern::sync {

namespace {

using directory::error_kind;
using directory::statement;
using std::chrono::seconds;

constexpr std::uint64_t most_sequence = std::numeric_limits<std::int64_t>::max();
constexpr std::uint32_t most_per_hour = 3600;
constexpr std::size_t most_domains = 1000;
constexpr directory::timestamp hour = 3600LL * 1000;
constexpr seconds soon{5};

push_refusal refusal(enum push_refusal::reason why, std::string text, seconds retry_after = seconds(0)) {
    return {why, std::move(text), retry_after};
}

std::string number(std::uint64_t value) {
    return std::to_string(value);
}

/// The last list that was taken.
struct last_push {
    std::uint64_t run = 0;
    bool whole = true;
    std::uint64_t sequence = 0;
    std::string digest;
};
last_push find_last(const directory::reader& in, std::uint32_t source) {
    statement row = in.on().query("SELECT run, whole, sequence, digest FROM push_source WHERE source = ?", source);
    if (!row.step()) {
        return {};
    }
    return {row.as<std::uint64_t>(0), row.integer(1) != 0, row.as<std::uint64_t>(2), std::string(row.text(3))};
}

/// Whether a run's list may be taken again: nothing came of it.
bool came_to_nothing(const directory::reader& in, std::uint64_t run) {
    const auto found = find_run(in, run);
    return found && (found->state == run_state::failed || found->state == run_state::cancelled ||
                     found->state == run_state::discarded);
}

std::optional<push_refusal> refuse_rate(const directory::reader& in, const directory_source& source,
                                        directory::timestamp now) {
    const auto settings = read_push_settings(source.set.settings);
    if (!settings) {
        return refusal(push_refusal::reason::failed, settings.error().text);
    }
    if (settings->pushes_per_hour == 0) {
        return std::nullopt;
    }
    // When the oldest of so many leaves the hour there is room again.
    statement row = in.on().query(
        "SELECT started FROM sync_run WHERE source = ? AND NOT dry AND started > ? ORDER BY started DESC LIMIT 1"
        " OFFSET ?",
        source.id, now - hour, settings->pushes_per_hour - 1);
    if (!row.step()) {
        return std::nullopt;
    }
    const seconds wait((row.integer(0) + hour - now + 999) / 1000);
    return refusal(push_refusal::reason::too_often,
                   source.name + " takes " + number(settings->pushes_per_hour) +
                       " lists an hour (pushes_per_hour), and has taken them; push again in " +
                       std::to_string(wait.count()) + " seconds. Test runs are not counted",
                   std::max(wait, seconds(1)));
}

std::optional<push_refusal> refuse_sequence(const directory::reader& in, const push_order& what, const last_push& last,
                                            taken_push& again) {
    if (what.dry || !what.sequence) {
        return std::nullopt;
    }
    const std::uint64_t sequence = *what.sequence;
    if (sequence == 0 || sequence > most_sequence) {
        return refusal(push_refusal::reason::invalid,
                       "a list's sequence is 1 to " + number(most_sequence) + ", not " + number(sequence));
    }
    if (sequence > last.sequence) {
        return std::nullopt;
    }
    if (sequence < last.sequence) {
        return refusal(push_refusal::reason::older,
                       "this list is number " + number(sequence) + ", but number " + number(last.sequence) +
                           " was taken already: an older list is never applied. If the pusher's clock or state was set "
                           "back, let it push the whole with a higher number");
    }
    if (what.digest.empty() || what.digest != last.digest || what.whole != last.whole) {
        return refusal(push_refusal::reason::older, "number " + number(sequence) +
                                                        " was taken already, and was another list; give each list a "
                                                        "number of its own, higher than the last");
    }
    if (!came_to_nothing(in, last.run)) {
        again = {last.run, sequence, true};
    }
    return std::nullopt;
}

std::optional<push_refusal> refuse_base(const directory::reader& in, const directory_source& source,
                                        const push_order& what, const last_push& last) {
    if (what.whole) {
        if (what.base && *what.base != last.sequence) {
            return refusal(push_refusal::reason::other_base, "this list follows number " + number(*what.base) +
                                                                 ", but the last that was taken is number " +
                                                                 number(last.sequence) +
                                                                 "; read the directory again, then push");
        }
        return std::nullopt;
    }
    if (!what.base) {
        return refusal(push_refusal::reason::invalid,
                       "changes name the number of the list that they build upon (base), or the whole is to be pushed");
    }
    const auto state = find_push_state(in, source.id);
    if (!state) {
        return refusal(push_refusal::reason::failed, state.error().text);
    }
    if (!state->changes) {
        return refusal(push_refusal::reason::other_base,
                       "changes can't be taken now: " + state->whole_because + "; push the whole list");
    }
    if (*state->changes != *what.base) {
        return refusal(push_refusal::reason::other_base, "these changes build upon number " + number(*what.base) +
                                                             ", but the list here is number " +
                                                             number(*state->changes) + "; push the whole list");
    }
    return std::nullopt;
}

}  // namespace

std::string to_json(const push_settings& from) {
    return boost::json::serialize(
        boost::json::object{{"domains", sources::to_array(from.domains)}, {"pushes_per_hour", from.pushes_per_hour}});
}

directory::result<push_settings> read_push_settings(std::string_view json) {
    const auto wrong = [](const std::string& member, std::string text) {
        return directory::fail(error_kind::invalid, std::move(text),
                               "settings" + (member.empty() ? std::string() : "/" + member));
    };
    boost::json::error_code failed;
    const boost::json::value parsed = boost::json::parse(json, failed);
    if (failed || !parsed.is_object()) {
        return wrong("", "the settings are no JSON object");
    }
    push_settings out;
    sources::settings_reader given(parsed.get_object());
    given.texts("domains", out.domains);
    given.number("pushes_per_hour", out.pushes_per_hour);
    if (const auto error = given.finish()) {
        return wrong(error->member, error->text);
    }
    if (out.pushes_per_hour > most_per_hour) {
        return wrong("pushes_per_hour", "pushes_per_hour is 0 (no limit) to " + number(most_per_hour));
    }
    if (out.domains.size() > most_domains) {
        return wrong("domains", "at most " + number(most_domains) + " domains; leave them out for all");
    }
    for (std::string& each : out.domains) {
        recipients::normal_address name;
        if (!recipients::parse_domain(each, name)) {
            return wrong("domains", "'" + each.substr(0, 255) + "' is not the name of a domain");
        }
        each = name.domain();
    }
    return out;
}

source_type push_type() {
    source_type out;
    out.check = [](const source_order& order) -> directory::result<void> {
        if (!order.secret.empty()) {
            return directory::fail(error_kind::invalid,
                                   "a push source has no secrets: who pushes has a token of the API", "secret");
        }
        if (auto good = read_push_settings(order.settings); !good) {
            return tl::unexpected(good.error());
        }
        return {};
    };
    out.make = [](const source_order&) -> tl::expected<std::unique_ptr<sources::fetcher>, std::string> {
        return tl::unexpected(std::string("a pushed list can't be fetched"));
    };
    return out;
}

directory::result<push_state> find_push_state(const directory::reader& in, std::uint32_t source) {
    const auto memory = find_memory(in, source);
    const auto found = find_source(in, source);
    if (!memory || !found) {
        return tl::unexpected(!memory ? memory.error() : found.error());
    }
    if (found->type != push_type_name) {
        return directory::fail(error_kind::not_found, found->name + " is not a push source");
    }
    const last_push last = find_last(in, source);
    push_state out;
    out.sequence = last.sequence;
    out.run = last.run;
    if (last.sequence == 0) {
        out.whole_because = "no list was taken yet";
    } else if (found->state.held != 0) {
        out.whole_because = "number " + number(last.sequence) + " is held (sync " + number(found->state.held) + ")";
    } else if (found->state.running != 0) {
        out.whole_because = "number " + number(last.sequence) + " is not done with yet";
    } else if (memory->unsure || memory->cookie != number(last.sequence)) {
        out.whole_because =
            "number " + number(last.sequence) + " did not become the list here, or its settings changed";
    } else if (memory->served != digest_of_domains(in, found->organisation)) {
        out.whole_because = "the organisation's domains are others since";
    } else if (differs_from_claims(in, source)) {
        out.whole_because = "addresses of the list were changed here since";
    } else {
        out.changes = last.sequence;
    }
    return directory::or_failure(in, std::move(out));
}

directory::result<push_run> find_push_run(const directory::reader& in, std::uint64_t run) {
    statement row = in.on().query("SELECT whole, sequence FROM push_run WHERE run = ?", run);
    if (!row.step()) {
        return directory::nothing_found(in, "sync " + number(run) + " is none of a pushed list");
    }
    return push_run{row.integer(0) != 0, row.as<std::uint64_t>(1)};
}

std::optional<push_refusal> refuse_push(const directory::reader& in, const directory_source& source,
                                        const push_order& what, directory::timestamp now, taken_push& again) {
    if (!source.set.enabled) {
        return refusal(push_refusal::reason::off, source.name + " is switched off; switch it on (enabled), then push");
    }
    const last_push last = find_last(in, source.id);
    if (auto no = refuse_sequence(in, what, last, again); no || again.again) {
        return no;
    }
    if (source.state.running != 0) {
        return refusal(push_refusal::reason::at_work,
                       "sync " + number(source.state.running) + " of " + source.name + " is at work; push after it",
                       soon);
    }
    if (auto no = refuse_base(in, source, what, last)) {
        return no;
    }
    if (!what.sequence && last.sequence == most_sequence) {
        return refusal(push_refusal::reason::older, "no number is left above the last; add the source anew");
    }
    again.sequence = what.sequence.value_or(last.sequence + 1);
    return what.dry ? std::nullopt : refuse_rate(in, source, now);
}

void limit_domains(served_domains& served, const std::vector<std::string>& names) {
    if (names.empty()) {
        return;
    }
    std::vector<std::uint32_t> ids;
    for (const std::string& each : names) {
        if (const auto found = served.own.find(each); found != served.own.end()) {
            ids.push_back(found->second);
        }
    }
    std::erase_if(served.own, [&](const auto& each) { return std::ranges::find(ids, each.second) == ids.end(); });
}

}  // namespace postern::sync
