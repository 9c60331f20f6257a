#include "control/mailroute/remote_data.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "control/api/encode.h"
#include "control/api/query.h"
#include "control/directory/domains.h"
#include "control/directory/mailroute.h"
#include "control/mailroute/accounts.h"
#include "control/mailroute/input.h"
#include "control/mailroute/rows.h"
#include "control/mailroute/uris.h"
#include "control/sync/push.h"
#include "control/sync/service.h"

namespace postern::mailroute {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

constexpr std::size_t longest_address = 1024;
constexpr std::size_t max_aliases = 1000;  // of one person

struct question {
    std::string domain;
    bool test_run = false;
};

result<question> read_question(std::string_view query) {
    const auto parameters = api::decode_query(query, 4096, 8);
    if (!parameters) {
        return tl::unexpected(refusal(parameters.error()));
    }
    question out;
    for (const api::decoded_parameter& each : *parameters) {
        if (each.name == "domain") {
            out.domain = each.value;
        } else if (each.name == "test_run" && (each.value == "0" || each.value == "1")) {
            out.test_run = each.value == "1";
        } else {
            return refuse(400, "\"" + each.name + "=" + each.value.substr(0, 100) +
                                   "\" is not known here: give domain=NAME and test_run=0 or 1.");
        }
    }
    if (out.domain.empty()) {
        return refuse(400, "Name the domain whose list this is: ?domain=example.com.");
    }
    return out;
}

/// By its name or its id, if the key reaches it.
result<directory::domain> find_domain_of(const service& with, const api::caller& caller, const std::string& name) {
    const auto in = with.api.store.read();
    if (!in) {
        return refuse(in.error());
    }
    const auto id = parse_reference(name, domain.name);
    const auto found = id ? directory::find_domain(*in, static_cast<std::uint32_t>(*id))
                          : directory::find_domain(*in, std::string_view(name));
    if (!found && found.error().kind != directory::error_kind::not_found) {
        return refuse(found.error());
    }
    if (!found || found->target != 0 || !has_object(*in, scope_of(caller), domain, found->id)) {
        return refuse(404, "There is no domain \"" + name.substr(0, 255) + "\".");
    }
    return *found;
}

tl::unexpected<api::response> bad_entry(std::size_t at, std::string_view text) {
    return refuse(400, "Entry " + std::to_string(at + 1) + ": " + std::string(text));
}

result<sources::directory_entry> read_person(const value& from, std::size_t at, const std::string& domain_name) {
    const auto* const person = from.if_object();
    const value* const email = person == nullptr ? nullptr : person->if_contains("email");
    if (email == nullptr || !email->is_string() || email->get_string().empty() ||
        email->get_string().size() > longest_address) {
        return bad_entry(at, "it is no object with \"email\", a text.");
    }
    sources::directory_entry out;
    out.address = whole_address(email->get_string(), domain_name);
    const value* const aliases = person->if_contains("aliases");
    if (aliases == nullptr || aliases->is_null()) {
        return out;
    }
    if (!aliases->is_array() || aliases->get_array().size() > max_aliases) {
        return bad_entry(at, "\"aliases\" is no list of at most " + std::to_string(max_aliases) + " texts.");
    }
    for (const value& each : aliases->get_array()) {
        if (!each.is_string() || each.get_string().size() > longest_address) {
            return bad_entry(at, "\"aliases\" has something that is no text of at most " +
                                     std::to_string(longest_address) + " octets.");
        }
        if (!each.get_string().empty()) {
            out.aliases.push_back(whole_address(each.get_string(), domain_name));
        }
    }
    return out;
}

result<std::vector<sources::directory_entry>> read_people(std::string_view body, const std::string& domain_name) {
    const auto parsed = read_body(body);
    if (!parsed) {
        return tl::unexpected(parsed.error());
    }
    const auto* const items = parsed->if_array();
    if (items == nullptr) {
        return refuse(400, "The body is not a list: [{\"email\": …, \"aliases\": […]}].");
    }
    std::vector<sources::directory_entry> out;
    for (const value& each : *items) {
        auto person = read_person(each, out.size(), domain_name);
        if (!person) {
            return tl::unexpected(std::move(person.error()));
        }
        out.push_back(std::move(*person));
    }
    return out;
}

/// A source of that name that somebody made for more than this domain is not to be used: a list of one domain would
/// be taken for all that it has.
result<void> check_source(const service& with, const directory::domain& of, const std::string& name) {
    const auto in = with.api.store.read();
    if (!in) {
        return refuse(in.error());
    }
    directory::scope owner;
    owner.reach = directory::reach::organisation;
    owner.organisation = of.organisation;
    owner.organisations = {of.organisation};
    const auto found = sync::find_source(*in, std::string_view(name), owner);
    if (!found) {
        return found.error().kind == directory::error_kind::not_found ? result<void>() : refuse(found.error());
    }
    const auto settings = sync::read_push_settings(found->set.settings);
    if (!settings || settings->domains != std::vector<std::string>{of.name}) {
        return refuse(409, "The source " + name + " is for other domains than " + of.name +
                               " alone: set its domains to that, or give it another name.");
    }
    return {};
}

tl::unexpected<api::response> refuse_push(const sync::push_refusal& no) {
    unsigned status = 409;
    switch (no.why) {
        case sync::push_refusal::reason::invalid:
            status = 400;
            break;
        case sync::push_refusal::reason::not_found:
            status = 404;
            break;
        case sync::push_refusal::reason::too_often:
            status = 429;
            break;
        case sync::push_refusal::reason::failed:
            status = no.retry_after.count() == 0 ? 500 : 503;
            break;
        case sync::push_refusal::reason::off:
        case sync::push_refusal::reason::at_work:
        case sync::push_refusal::reason::older:
        case sync::push_refusal::reason::other_base:
            break;
    }
    api::response made = status == 500 ? refusal(api::internal(no.text)) : refusal(status, no.text);
    if (no.retry_after.count() != 0) {
        made.fields.emplace_back("Retry-After", std::to_string(no.retry_after.count()));
    }
    return tl::unexpected(std::move(made));
}

result<array> shown_items(const sync::service& syncs, std::uint64_t run, sync::diff_item::kind what) {
    const auto items = syncs.items(run, what, {"", max_shown});
    if (!items) {
        return refuse(items.error());
    }
    array out;
    for (const sync::diff_item& each : items->items) {
        out.push_back(value(api::printable_utf8(each.address)));
    }
    return out;
}

result<object> shown_run(const sync::service& syncs, const sync::sync_run& run, const std::string& domain_name) {
    object out{{"domain", domain_name},
               {"test_run", run.dry},
               {"state", sync::to_string(run.state)},
               {"run", run.id},
               {"accounts", run.counts.read},
               {"counts", object{{"added", run.counts.added},
                                 {"removed", run.counts.removed},
                                 {"changed", run.counts.changed},
                                 {"foreign", run.counts.foreign},
                                 {"unusable", run.counts.unusable}}}};
    if (!run.guard.empty()) {
        out["message"] = run.guard;
    } else if (!run.reason.empty()) {
        out["message"] = run.reason;
    }
    for (const auto what : {sync::diff_item::kind::added, sync::diff_item::kind::removed,
                            sync::diff_item::kind::changed, sync::diff_item::kind::reassigned}) {
        auto items = shown_items(syncs, run.id, what);
        if (!items) {
            return tl::unexpected(items.error());
        }
        out[sync::to_string(what)] = std::move(*items);
    }
    const auto problems = syncs.problems(run.id, {"", max_shown});
    if (!problems) {
        return refuse(problems.error());
    }
    array unusable;
    for (const sync::run_problem& each : problems->items) {
        unusable.push_back(object{{"address", api::printable_utf8(each.address)}, {"reason", each.reason}});
    }
    out["problems"] = std::move(unusable);
    return out;
}

/// The mode that waits for the list's first address.
result<void> enforce_now(const service& with, const api::caller& caller, std::uint32_t id) {
    {
        const auto in = with.api.store.read();
        const auto kept = in ? directory::find_mailroute_domain(*in, id) : tl::unexpected(in.error());
        if (!kept || !kept->enforce_when_listed) {
            return kept ? result<void>() : refuse(kept.error());
        }
    }
    auto in = with.api.store.write({"token:" + caller.name, "the list's first addresses"});
    if (!in) {
        return refuse(in.error());
    }
    if (const auto set = directory::enforce_if_listed(*in, id); !set) {
        return refuse(set.error());
    }
    const auto done = in->commit();
    return done ? result<void>() : refuse(done.error());
}

}  // namespace

result<api::response> push_remote_data(service& with, const api::request& asked) {
    if (with.api.syncs == nullptr) {
        return refuse(503, "There are no directory sources here.");
    }
    const auto question = read_question(asked.query);
    if (!question) {
        return tl::unexpected(question.error());
    }
    const auto of = find_domain_of(with, asked.caller, question->domain);
    if (!of) {
        return tl::unexpected(of.error());
    }
    auto people = read_people(asked.body, of->name);
    if (!people) {
        return tl::unexpected(people.error());
    }
    sync::people_push push;
    push.organisation = of->organisation;
    push.source = "push:" + of->name;
    push.domains = {of->name};
    push.people = std::move(*people);
    push.dry = question->test_run;
    if (const auto good = check_source(with, *of, push.source); !good) {
        return tl::unexpected(good.error());
    }
    const auto run = with.api.syncs->push_people(push, {"token:" + asked.caller.name, "MailRoute's directory push"});
    if (!run) {
        return refuse_push(run.error());
    }
    if (run->state == sync::run_state::failed) {
        return refuse(409, run->guard.empty() ? run->reason : run->guard);
    }
    if (!run->dry) {
        if (const auto done = enforce_now(with, asked.caller, of->id); !done) {
            return tl::unexpected(done.error());
        }
    }
    const auto body = shown_run(*with.api.syncs, *run, of->name);
    if (!body) {
        return tl::unexpected(body.error());
    }
    api::response made;
    // 202: something is left to be done, by the run or by a person.
    made.status = run->dry || run->state == sync::run_state::succeeded ? 200 : 202;
    made.body = boost::json::serialize(*body);
    return made;
}

}  // namespace postern::mailroute
