// Syncs of directory sources: begun, watched, decided; and lists brought back as they were.
#include <boost/json/object.hpp>
#include <limits>

#include "control/api/body.h"
#include "control/api/handlers.h"
#include "control/api/lookups.h"
#include "control/api/represent_sync.h"
#include "control/api/scope.h"
#include "control/api/sources.h"
#include "control/directory/assertions.h"
#include "control/sync/restore.h"
#include "control/sync/service.h"

namespace postern::api {
namespace {

using boost::json::object;

constexpr std::uint64_t most_id = std::numeric_limits<std::int64_t>::max();

answer<sync::sync_run> sync_argument(const directory::reader& in, const call& of) {
    const auto id = id_argument(of, 0, most_id);
    if (!id) {
        return failure(id);
    }
    auto found = sync::find_run(in, *id);
    if (!found) {
        return failure(found);
    }
    if (const auto seen = see_organisation(of, found->organisation, "there is no sync " + std::to_string(*id)); !seen) {
        return failure(seen);
    }
    return *std::move(found);
}

answer<std::uint32_t> source_parameter(const directory::reader& in, call& of) {
    query& from = of.parameters;
    const auto text = from.text("source");
    if (!text) {
        return 0U;
    }
    const auto found = find_source_by(in, of, *text);
    if (!found) {
        from.refuse("source", "\"" + *text + "\" is not a directory source");
        return 0U;
    }
    return found->id;
}

/// The id of the sync in the path, if it is in the caller's scope.
answer<std::uint64_t> seen_sync(const service& with, const call& of) {
    if (with.syncs == nullptr) {
        return tl::unexpected(no_sources());
    }
    const auto in = with.store.read();
    if (!in) {
        return failure(in);
    }
    const auto found = sync_argument(*in, of);
    if (!found) {
        return failure(found);
    }
    return found->id;
}

/// What `decide` does to the sync of the path, and how it stands after.
template <class Decide>
answer<response> decide(service& with, call& of, const Decide& decide) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto id = seen_sync(with, of);
    if (!id) {
        return failure(id);
    }
    if (const auto done = decide(*id); !done) {
        return failure(done);
    }
    const auto in = with.store.read();
    if (!in) {
        return failure(in);
    }
    const auto now = sync_argument(*in, of);
    if (!now) {
        return failure(now);
    }
    return json(200, represent(*now));
}

/// Any source: CSV and manual have histories as well. A directory source may be given by its id.
template <class Given>
void read_restored_source(const directory::reader& in, const call& of, Given& given, const std::string& text,
                          sync::restore_request& out) {
    if (const auto synced = find_source_by(in, of, text)) {
        out.source = synced->id;
        return;
    }
    const auto any = directory::find_source(in, std::string_view(text), scope_of(of));
    if (!any) {
        given.refuse("source", any.error().kind == directory::error_kind::invalid
                                   ? "several organisations have a source \"" + text + "\"; give its id"
                                   : "\"" + text + "\" is not a source");
    } else if (!scope_of(of).has_organisation(any->organisation)) {
        // What the operator's own sources assert is in all organisations' domains.
        given.refuse("source", "\"" + text + "\" is every organisation's; give the organisation instead");
    } else {
        out.source = any->id;
    }
}

/// `{source | organisation, at}` from a query (`Given` is `query`) or a body (`members`).
template <class Given>
answer<sync::restore_request> read_restore(const directory::reader& in, const call& of, Given& given) {
    sync::restore_request out;
    const auto source = given.text("source");
    const auto organisation = given.number("organisation", 1, max_id32);
    const auto at = given.text("at");
    if (source.has_value() == organisation.has_value()) {
        given.refuse("source", "give the source or the organisation whose list is to be restored, one of the two");
    } else if (source) {
        read_restored_source(in, of, given, *source, out);
    } else if (!scope_of(of).has_organisation(static_cast<std::uint32_t>(*organisation))) {
        given.refuse("organisation", "there is no organisation " + std::to_string(*organisation));
    } else {
        out.organisation = static_cast<std::uint32_t>(*organisation);
    }
    const auto time = at ? parse_time(*at) : std::nullopt;
    if (!time) {
        given.refuse("at", at ? "\"" + *at + "\" is not a time such as 2026-01-31T12:00:00Z" : "is missing");
    } else {
        out.at = *time;
    }
    return out;
}

}  // namespace

answer<response> begin_sync(service& with, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    if (with.syncs == nullptr) {
        return tl::unexpected(no_sources());
    }
    bool dry = false;
    if (!of.asked.body.empty()) {
        const auto body = parse_json_object(of.asked);
        if (!body) {
            return failure(body);
        }
        std::vector<field_error> errors;
        members given(*body, "", errors);
        dry = given.flag("dry").value_or(false);
        given.finish();
        if (!errors.empty()) {
            return tl::unexpected(invalid(std::move(errors)));
        }
    }
    const auto source = find_source_by(in, of, of.argument(0));
    if (!source) {
        return failure(source);
    }
    const auto run = sync::service::queue_sync(in, source->id, dry);
    if (!run) {
        return failure(run);
    }
    const auto queued = sync::find_run(in, *run);
    if (!queued) {
        return failure(queued);
    }
    of.after_commit = [syncs = with.syncs, id = *run] { syncs->begin(id); };
    response made = json(202, represent(*queued));
    made.fields.emplace_back("Location", "/v1/syncs/" + std::to_string(*run));
    return made;
}

answer<response> list_syncs(service& /*with*/, directory::reader& in, call& of) {
    const page_request page = of.parameters.paging({"-id"});
    sync::run_filter filter;
    filter.organisation = id_parameter(of.parameters, "organisation");
    const auto source = source_parameter(in, of);
    if (const auto word = of.parameters.text("state")) {
        filter.state = sync::parse_run_state(*word);
        if (!filter.state) {
            of.parameters.refuse("state", "\"" + *word + "\" is not a state of a sync");
        }
    }
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    if (!source) {
        return failure(source);
    }
    filter.source = *source;
    filter.within = scope_of(of);
    const auto found = sync::list_runs(in, filter, to_directory(page));
    if (!found) {
        return failure(found);
    }
    return list_response(*found, page, [](const sync::sync_run& each) { return represent(each); });
}

answer<response> get_sync(service& /*with*/, directory::reader& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto found = sync_argument(in, of);
    if (!found) {
        return failure(found);
    }
    return json(200, represent(*found));
}

answer<response> list_sync_changes(service& with, call& of) {
    const page_request page = of.parameters.paging({"id"});
    std::optional<sync::diff_item::kind> what;
    if (const auto word = of.parameters.text("what")) {
        what = sync::parse_item_kind(*word);
        if (!what) {
            of.parameters.refuse("what", "\"" + *word + "\" is not added, removed, changed, reassigned or moved");
        }
    }
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto id = seen_sync(with, of);
    if (!id) {
        return failure(id);
    }
    const auto found = with.syncs->items(*id, what, to_directory(page));
    if (!found) {
        return failure(found);
    }
    return list_response(*found, page, [](const sync::diff_item& each) { return represent(each); });
}

answer<response> list_sync_problems(service& with, call& of) {
    const page_request page = of.parameters.paging({"id"});
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto id = seen_sync(with, of);
    if (!id) {
        return failure(id);
    }
    const auto found = with.syncs->problems(*id, to_directory(page));
    if (!found) {
        return failure(found);
    }
    return list_response(*found, page, [](const sync::run_problem& each) { return represent(each); });
}

answer<response> cancel_sync(service& with, call& of) {
    return decide(with, of, [&](std::uint64_t id) { return with.syncs->cancel(id, actor_of(of)); });
}

answer<response> approve_sync(service& with, call& of) {
    return decide(with, of, [&](std::uint64_t id) { return with.syncs->approve(id, actor_of(of)); });
}

answer<response> discard_sync(service& with, call& of) {
    return decide(with, of, [&](std::uint64_t id) { return with.syncs->discard(id, actor_of(of)); });
}

answer<response> preview_restore(service& with, call& of) {
    sync::restore_request request;
    {
        const auto in = with.store.read();
        if (!in) {
            return failure(in);
        }
        const auto read = read_restore(*in, of, of.parameters);
        if (const auto good = of.parameters.finish(); !good) {
            return failure(good);
        }
        request = *read;
    }
    const auto report = sync::preview_restore(with.store, request);
    if (!report) {
        return failure(report);
    }
    return json(200, represent(*report));
}

answer<response> apply_restore(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto body = parse_json_object(of.asked);
    if (!body) {
        return failure(body);
    }
    std::vector<field_error> errors;
    members given(*body, "", errors);
    const auto request = read_restore(in, of, given);
    given.finish();
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    const auto report = sync::apply_restore(in, *request);
    if (!report) {
        return failure(report);
    }
    return json(200, represent(*report));
}

}  // namespace postern::api
