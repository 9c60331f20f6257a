// Claims of domains, proven by DNS or granted by the operator; and whether a domain's mail comes here.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "control/api/body.h"
#include "control/api/encode.h"
#include "control/api/handlers.h"
#include "control/api/lookups.h"
#include "control/api/represent.h"
#include "control/api/scope.h"
#include "control/directory/claims.h"
#include "control/dns/where_mail_goes.h"

namespace postern::api {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

constexpr std::size_t longest_shown = 200;

object represent(const directory::domain_claim& of) {
    return {{"id", of.id},
            {"name", of.name},
            {"organisation", of.organisation},
            {"alias_of", of.target == 0 ? value(nullptr) : value(of.target)},
            {"record", object{{"name", of.record_name()}, {"type", "TXT"}, {"value", of.record_value()}}},
            {"created", time_value(of.created)},
            {"created_by", of.created_by},
            {"checked_at", time_value(of.checked)},
            {"finding", of.finding.empty() ? value(nullptr) : value(of.finding)}};
}

answer<directory::domain_claim> claim_argument(const directory::reader& in, const call& of) {
    const auto id = id32_argument(of, 0);
    if (!id) {
        return failure(id);
    }
    auto found = directory::find_claim(in, *id);
    if (!found) {
        return failure(found);
    }
    if (const auto seen = see_organisation(of, found->organisation, "there is no claim " + std::to_string(*id));
        !seen) {
        return failure(seen);
    }
    return std::move(*found);
}

problem no_resolver() {
    return unavailable("This postern-control asks no DNS.");
}

/// Why the records don't prove it; empty if they do.
std::string judge(const directory::domain_claim& claim, const dns::answer<std::vector<std::string>>& records) {
    if (!records) {
        return records.error().text + (records.error().absent ? "; publish it, and wait until the old answer has gone "
                                                                "from the resolvers' caches"
                                                              : "; try again");
    }
    std::string others;
    for (const std::string& each : *records) {
        if (each == claim.record_value()) {
            return {};
        }
        if (others.size() < longest_shown) {
            others += (others.empty() ? "" : ", ") +
                      ("\"" + printable_utf8(std::string_view(each).substr(0, longest_shown)) + "\"");
        }
    }
    return "the TXT record of " + claim.record_name() + " is " + others + ", not \"" + claim.record_value() + "\"";
}

response proven(const directory::domain& of) {
    return json(200, {{"proven", true},
                      {"domain", of.target == 0 ? api::represent(of) : represent_alias(of)},
                      {"claim", nullptr},
                      {"finding", nullptr}});
}

}  // namespace

answer<response> list_claims(service& /*with*/, directory::reader& in, call& of) {
    const page_request page = of.parameters.paging({"id"});
    directory::claim_filter filter;
    filter.organisation = id_parameter(of.parameters, "organisation");
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    filter.within = &scope_of(of);
    const auto found = directory::list_claims(in, filter, to_directory(page));
    if (!found) {
        return failure(found);
    }
    return list_response(*found, page, [](const directory::domain_claim& each) { return represent(each); });
}

answer<response> add_claim(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto body = parse_json_object(of.asked);
    if (!body) {
        return failure(body);
    }
    std::vector<field_error> errors;
    members given(*body, "", errors);
    directory::new_claim input;
    input.name = given.required_text("name");
    std::optional<std::int64_t> owner = given.number("organisation", 1, max_id32);
    if (given.has("alias_of") && !given.is_null("alias_of")) {
        const auto target = find_domain_by(in, of, given.id_or_name("alias_of"));
        if (!target) {
            given.refuse("alias_of", target.error().detail);
        } else {
            input.target = target->target != 0 ? target->target : target->id;
            owner = owner ? owner : std::optional<std::int64_t>(target->organisation);
        }
    } else {
        given.known("alias_of");
    }
    given.finish();
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    const auto organisation = organisation_for(of, owner, "/organisation");
    if (!organisation) {
        return failure(organisation);
    }
    input.organisation = *organisation;
    const auto made = directory::add_claim(in, input);
    if (!made) {
        return failure(made);
    }
    return created("/v1/domain-claims/" + std::to_string(made->id), represent(*made));
}

answer<response> get_claim(service& /*with*/, directory::reader& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto found = claim_argument(in, of);
    if (!found) {
        return failure(found);
    }
    return tagged(200, represent(*found));
}

answer<response> remove_claim(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto present = claim_argument(in, of);
    if (!present) {
        return failure(present);
    }
    if (const auto removed = directory::remove_claim(in, present->id); !removed) {
        return failure(removed);
    }
    return no_content();
}

answer<response> grant_claim(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto present = claim_argument(in, of);
    if (!present) {
        return failure(present);
    }
    const auto made = directory::accept_claim(in, present->id, directory::proof::granted);
    if (!made) {
        return failure(made);
    }
    return proven(*made);
}

answer<response> check_claim(service& with, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    directory::domain_claim claim;
    {
        const auto in = with.store.read();
        if (!in) {
            return failure(in);
        }
        auto present = claim_argument(*in, of);
        if (!present) {
            return failure(present);
        }
        claim = std::move(*present);
    }
    if (with.resolver == nullptr) {
        return tl::unexpected(no_resolver());
    }
    const std::string finding = judge(claim, with.resolver->txt(claim.record_name()));
    auto in = with.store.write(actor_of(of));
    if (!in) {
        return failure(in);
    }
    // The claim as it is now: it may have been removed while DNS was asked.
    const auto present = claim_argument(*in, of);
    if (!present) {
        return failure(present);
    }
    response made;
    if (finding.empty() && present->challenge == claim.challenge) {
        const auto domain = directory::accept_claim(*in, claim.id, directory::proof::dns);
        if (!domain) {
            return failure(domain);
        }
        made = proven(*domain);
    } else {
        const auto kept = directory::record_check(*in, claim.id, finding);
        if (!kept) {
            return failure(kept);
        }
        made = json(200, {{"proven", false}, {"domain", nullptr}, {"claim", represent(*kept)}, {"finding", finding}});
    }
    const auto seq = in->commit();
    if (!seq) {
        return failure(seq);
    }
    made.fields.emplace_back("Postern-Change", std::to_string(*seq));
    return made;
}

answer<response> check_mx(service& with, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    std::string name;
    {
        const auto in = with.store.read();
        if (!in) {
            return failure(in);
        }
        const auto found = find_domain_by(*in, of, of.argument(0));
        if (!found) {
            return failure(found);
        }
        name = found->name;
    }
    if (with.resolver == nullptr) {
        return tl::unexpected(no_resolver());
    }
    const dns::mx_finding found = dns::where_mail_goes(*with.resolver, with.own, name);
    array hosts;
    for (const dns::mx_host& each : found.hosts) {
        array addresses;
        for (const std::string& address : each.addresses) {
            addresses.push_back(value(address));
        }
        hosts.push_back(object{{"host", each.record.host},
                               {"preference", each.record.preference},
                               {"addresses", std::move(addresses)},
                               {"here", each.here},
                               {"error", each.problem.empty() ? value(nullptr) : value(each.problem)}});
    }
    return json(200, {{"domain", name},
                      {"mail_goes", dns::to_string(found.verdict)},
                      {"text", found.text},
                      {"hosts", std::move(hosts)}});
}

}  // namespace postern::api
