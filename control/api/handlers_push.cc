// Pushed lists: where a push source stands, and a list on its way to it.
#include <boost/json/object.hpp>
#include <limits>

#include "control/api/handlers.h"
#include "control/api/lookups.h"
#include "control/api/represent_sync.h"
#include "control/api/sources.h"
#include "control/api/transaction.h"
#include "control/sources/push/lines.h"
#include "control/sync/service.h"

namespace postern::api {
namespace {

constexpr std::int64_t most_sequence = std::numeric_limits<std::int64_t>::max();

problem to_problem(const sync::push_refusal& why) {
    using reason = enum sync::push_refusal::reason;
    problem out;
    const auto of_type = [&](problem made, std::string type) {
        made.type = std::move(type);
        return made;
    };
    switch (why.why) {
        case reason::invalid:
            out = invalid("?", why.text);
            break;
        case reason::not_found:
            out = not_found(why.text);
            break;
        case reason::off:
            out = conflict(why.text);
            break;
        case reason::at_work:
            out = of_type(conflict(why.text), "at-work");
            break;
        case reason::too_often:
            out = of_type(conflict(why.text), "too-many-pushes");
            out.status = 429;
            out.title = "More lists than the source's rate";
            break;
        case reason::older:
            out = of_type(conflict(why.text), "older-list");
            break;
        case reason::other_base:
            out = of_type(conflict(why.text), "other-base");
            break;
        case reason::failed:
            out = why.retry_after.count() == 0 ? internal(why.text) : unavailable(why.text);
            break;
    }
    if (why.retry_after.count() != 0) {
        out.fields.emplace_back("Retry-After", std::to_string(why.retry_after.count()));
    }
    return out;
}

/// 400 with the line for a list that can't be read or was cut off: nothing of it is taken.
answer<void> check_lines(const std::string& path) {
    const auto read = sources::push::read_file_lines(path, [](sources::push::line&&) { return true; });
    if (read) {
        return {};
    }
    const std::string place = read.error().line == 0 ? "" : "line " + std::to_string(read.error().line);
    return tl::unexpected(bad_request(place + (place.empty() ? "" : ": ") + read.error().text,
                                      {{place.empty() ? "/" : place, read.error().text}}));
}

answer<response> push(service& with, call& of, bool whole) {
    const std::string_view type = of.asked.field("content-type");
    if (!type.starts_with("application/x-ndjson") && !type.starts_with("application/octet-stream")) {
        return tl::unexpected(unsupported_media_type("Send the lines as application/x-ndjson."));
    }
    sync::push_order order;
    order.whole = whole;
    order.dry = of.parameters.flag("dry").value_or(false);
    if (const auto number = of.parameters.number("sequence", 1, most_sequence)) {
        order.sequence = static_cast<std::uint64_t>(*number);
    }
    const auto base = of.parameters.number("base", 0, most_sequence);
    if (base) {
        order.base = static_cast<std::uint64_t>(*base);
    } else if (!whole) {
        of.parameters.refuse("base", "is missing: the number of the list that these changes build upon");
    }
    order.path = of.asked.upload;
    order.digest = of.asked.upload_digest;
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    if (with.syncs == nullptr) {
        return tl::unexpected(no_sources());
    }
    {
        const auto in = with.store.read();
        if (!in) {
            return failure(in);
        }
        const auto source = find_source_by(*in, of, of.argument(0));
        if (!source) {
            return failure(source);
        }
        order.source = source->id;
    }
    // Before the transaction: it would hold up every other change for as long as the list is.
    if (const auto good = check_lines(order.path); !good) {
        return failure(good);
    }
    std::uint64_t run = 0;
    auto made = transact(with, of, [&](directory::writer& in) -> answer<response> {
        const auto taken = with.syncs->take_push(in, order);
        if (!taken) {
            return tl::unexpected(to_problem(taken.error()));
        }
        const auto now = sync::find_run(in, taken->run);
        if (!now) {
            return failure(now);
        }
        run = taken->run;
        if (!taken->again) {
            of.after_commit = [syncs = with.syncs, run] { syncs->begin(run); };
        }
        return json(taken->again ? 200 : 202,
                    {{"sequence", order.dry ? boost::json::value(nullptr) : boost::json::value(taken->sequence)},
                     {"again", taken->again},
                     {"sync", represent(*now)}});
    });
    if (made && run != 0) {
        made->fields.emplace_back("Location", "/v1/syncs/" + std::to_string(run));
    }
    return made;
}

}  // namespace

answer<response> get_push(service& /*with*/, directory::reader& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto source = find_source_by(in, of, of.argument(0));
    if (!source) {
        return failure(source);
    }
    const auto found = sync::find_push_state(in, source->id);
    if (!found) {
        return failure(found);
    }
    return json(200, represent(*found));
}

answer<response> push_whole(service& with, call& of) {
    return push(with, of, true);
}

answer<response> push_changes(service& with, call& of) {
    return push(with, of, false);
}

}  // namespace postern::api
