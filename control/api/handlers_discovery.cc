// Discovery of a domain: settings and standing, candidates, what a person decides.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "control/api/body.h"
#include "control/api/handlers.h"
#include "control/api/lookups.h"
#include "control/api/notices_body.h"
#include "control/api/represent.h"
#include "control/api/sources.h"
#include "control/discovery/candidates.h"
#include "control/discovery/service.h"
#include "control/discovery/triage.h"
#include "control/sync/service.h"

namespace postern::api {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

object represent(const service& with, const discovery::domain_state& of) {
    object out;
    out["domain"] = of.domain.name;
    out["mode"] = directory::to_string(of.domain.mode);
    out["mode_until"] = time_value(of.domain.mode_until);
    out["state"] = discovery::to_string(of.now);
    out["text"] = of.text;
    out["remedy"] = of.now == discovery::standing::suspended ? value(discovery::catch_all_remedy) : value(nullptr);
    out["suspended_since"] = time_value(of.now == discovery::standing::suspended ? of.suspended : 0);
    out["clean_messages"] = of.set.clean;
    out["days"] = of.set.days;
    out["ends_in"] = directory::to_string(of.set.ends_in);
    out["billed"] = with.billed.has(recipients::mailbox_kind::unclassified) ? "at_once" : "after_triage";
    out["notify"] = api::represent(of.set.notify);
    out["has_webhook_secret"] = of.has_webhook_secret;
    out["probe"] = object{{"at", time_value(of.probe.asked)},
                          {"due", time_value(of.probe.due)},
                          {"accepts_any", of.probe.takes_any ? value(*of.probe.takes_any) : value(nullptr)},
                          {"found_at", time_value(of.probe.found)},
                          {"said", of.probe.said}};
    return out;
}

/// With the counts.
answer<response> show(const service& with, const directory::reader& in, const discovery::domain_state& of) {
    object out = represent(with, of);
    const auto counts = discovery::count_candidates(in, of.domain.id);
    const auto refused = discovery::count_refusals(in, of.domain.id);
    if (!counts || !refused) {
        return counts ? failure(refused) : failure(counts);
    }
    object candidates;
    for (std::size_t state = 0; state < counts->size(); ++state) {
        candidates[to_string(static_cast<discovery::candidate_state>(state))] = counts->at(state);
    }
    out["candidates"] = std::move(candidates);
    out["listed_refused"] = *refused;
    return json(200, out);
}

object represent(const discovery::candidate& of) {
    return {{"address", of.address},
            {"state", to_string(of.state)},
            {"since", time_value(of.since)},
            {"good", of.good},
            {"bad", of.bad},
            {"senders", of.senders},
            {"first", time_value(of.first)},
            {"last", time_value(of.last)},
            {"only_tagged", !of.untagged && of.good != 0},
            {"judged_by", of.judged_by.empty() ? value(nullptr) : value(of.judged_by)},
            {"why", of.why.empty() ? value(nullptr) : value(of.why)},
            {"taken_out_by", of.taken_by.empty() ? value(nullptr) : value(of.taken_by)}};
}

/// The decisions of the body; `errors` has what is wrong with them.
std::vector<discovery::decision> read_decisions(const directory::reader& in, const call& of, const object& body,
                                                std::vector<field_error>& errors) {
    members given(body, "", errors);
    const auto items = given.objects("items", max_bulk_items);
    if (!items && errors.empty()) {
        given.refuse("items", "is missing");
    }
    given.finish();
    std::vector<discovery::decision> out;
    for (std::size_t at = 0; items && at < items->size() && errors.size() < 100; ++at) {
        members each(*(*items)[at], "/items/" + std::to_string(at), errors);
        discovery::decision next;
        next.address = each.required_text("address", 1024);
        const auto action = each.word("action", {"accept", "alias", "block", "keep"});
        if (!action) {
            if (!each.has("action")) {
                each.refuse("action", "is missing: accept, alias, block or keep");
            }
        } else if (*action == "accept") {
            const auto kind = each.word("kind", {"user", "shared", "resource", "list"});
            next.kind = directory::parse_kind(kind.value_or("user")).value_or(recipients::mailbox_kind::user);
        } else if (*action == "alias") {
            next.what = discovery::verdict::alias;
            const std::string to = each.id_or_name("mailbox");
            if (!to.empty()) {
                const auto box = find_mailbox_by(in, of, to);
                if (!box) {
                    each.refuse("mailbox", box.error().detail);
                } else {
                    next.mailbox = box->id;
                }
            }
        } else {
            next.what = *action == "block" ? discovery::verdict::block : discovery::verdict::keep;
        }
        each.finish();
        out.push_back(std::move(next));
    }
    return out;
}

}  // namespace

answer<response> get_discovery(service& with, directory::reader& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto domain = domain_argument(in, of, false);
    if (!domain) {
        return failure(domain);
    }
    const auto found = discovery::find_state(in, *domain);
    return found ? show(with, in, *found) : failure(found);
}

answer<response> edit_discovery(service& with, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto domain = domain_argument(in, of, false);
    if (!domain) {
        return failure(domain);
    }
    if (with.syncs == nullptr) {
        return tl::unexpected(no_sources());
    }
    const auto body = parse_json_object(of.asked);
    if (!body) {
        return failure(body);
    }
    const auto present = discovery::find_state(in, *domain);
    if (!present) {
        return failure(present);
    }
    discovery::settings set = present->set;
    std::vector<field_error> errors;
    members given(*body, "", errors);
    set.clean =
        static_cast<std::uint32_t>(given.number("clean_messages", 1, discovery::most_clean).value_or(set.clean));
    set.days = static_cast<std::uint32_t>(given.number("days", 1, discovery::most_days).value_or(set.days));
    if (const auto mode = given.word("ends_in", {"observe", "enforce"})) {
        set.ends_in = *directory::parse_mode(*mode);
    }
    given.known("notify");
    if (const value* const notify = body->if_contains("notify"); notify != nullptr && notify->is_object()) {
        read_notify(notify->get_object(), set.notify, errors);
    } else if (notify != nullptr) {
        given.refuse("notify", "is not an object");
    }
    std::optional<std::string> secret;
    if (given.is_null("webhook_secret")) {
        given.known("webhook_secret");
        secret = "";
    } else {
        secret = given.text("webhook_secret", 1024);
    }
    given.finish();
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    const auto changed = discovery::change_settings(in, *domain, set, secret, with.syncs->with().secrets);
    return changed ? show(with, in, *changed) : failure(changed);
}

answer<response> probe_domain(service& with, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    std::uint32_t id = 0;
    {
        const auto in = with.store.read();
        if (!in) {
            return failure(in);
        }
        const auto domain = domain_argument(*in, of, false);
        if (!domain) {
            return failure(domain);
        }
        id = domain->id;
    }
    if (with.discovery == nullptr) {
        return tl::unexpected(unavailable("This postern-control asks no mail servers."));
    }
    const auto now = with.discovery->probe_now(id, actor_of(of));
    if (!now) {
        return failure(now);
    }
    const auto in = with.store.read();
    if (!in) {
        return failure(in);
    }
    return show(with, *in, *now);
}

answer<response> list_candidates(service& /*with*/, directory::reader& in, call& of) {
    const page_request page = of.parameters.paging({"id"});
    discovery::candidate_filter filter;
    if (const auto state =
            of.parameters.word("state", {"waiting", "checking", "added", "left", "base_refused", "refused"})) {
        filter.state = discovery::parse_candidate_state(*state);
    }
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto domain = domain_argument(in, of, false);
    if (!domain) {
        return failure(domain);
    }
    filter.domain = domain->id;
    const auto found = discovery::list_candidates(in, filter, to_directory(page));
    if (!found) {
        return failure(found);
    }
    return list_response(*found, page, [](const discovery::candidate& each) { return represent(each); });
}

answer<response> list_refused(service& /*with*/, directory::reader& in, call& of) {
    const page_request page = of.parameters.paging({"id"});
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto domain = domain_argument(in, of, false);
    if (!domain) {
        return failure(domain);
    }
    const auto found = discovery::list_refusals(in, domain->id, to_directory(page));
    if (!found) {
        return failure(found);
    }
    return list_response(*found, page, [](const discovery::refusal& each) {
        return object{{"address", each.address},
                      {"times", each.times},
                      {"first", time_value(each.first)},
                      {"last", time_value(each.last)}};
    });
}

answer<response> triage_discovered(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto domain = domain_argument(in, of, false);
    if (!domain) {
        return failure(domain);
    }
    const auto body = parse_json_object(of.asked);
    if (!body) {
        return failure(body);
    }
    std::vector<field_error> errors;
    const auto decisions = read_decisions(in, of, *body, errors);
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    // All or nothing, so all that is wrong is told at once.
    for (std::size_t at = 0; at < decisions.size() && errors.size() < 100; ++at) {
        const auto done = discovery::triage(in, *domain, decisions[at]);
        if (done) {
            continue;
        }
        if (done.error().kind == directory::error_kind::failed || done.error().kind == directory::error_kind::busy) {
            return failure(done);
        }
        errors.push_back(
            {"/items/" + std::to_string(at) + (done.error().field.empty() ? std::string() : "/" + done.error().field),
             done.error().text});
    }
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    return json(200, {{"decided", decisions.size()}});
}

}  // namespace postern::api
