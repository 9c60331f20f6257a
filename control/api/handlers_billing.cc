// How many mailboxes are billed, by organisation or by domain.
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include "control/api/handlers.h"
#include "control/api/lookups.h"
#include "control/api/scope.h"
#include "control/directory/billing.h"

namespace postern::api {
namespace {

using boost::json::array;
using boost::json::object;

object represent(const directory::billed& of) {
    object kinds;
    for (std::size_t kind = 0; kind < of.mailboxes.size(); ++kind) {
        const auto as = static_cast<recipients::mailbox_kind>(kind);
        if (as != recipients::mailbox_kind::alias) {
            kinds[directory::to_string(as)] = of.mailboxes.at(kind);
        }
    }
    return {{"id", of.id},
            {"name", of.name},
            {"organisation", of.organisation},
            {"billable", of.billable},
            {"mailboxes", std::move(kinds)}};
}

}  // namespace

answer<response> list_billed(service& with, directory::reader& in, call& of) {
    const page_request page = of.parameters.paging({"id"});
    directory::billing_filter filter;
    filter.organisation = id_parameter(of.parameters, "organisation");
    if (of.parameters.word("by", {"organisation", "domain"}) == "domain") {
        filter.by = directory::billed_by::domain;
    }
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    filter.within = &scope_of(of);
    const auto found = directory::list_billed(in, with.billed, filter, to_directory(page));
    if (!found) {
        return failure(found);
    }
    const auto total = directory::count_billable(in, with.billed, filter);
    if (!total) {
        return failure(total);
    }
    array items;
    for (const directory::billed& each : found->items) {
        items.push_back(represent(each));
    }
    array kinds;
    for (std::size_t kind = 0; kind < with.billed.counts.size(); ++kind) {
        if (with.billed.counts.at(kind)) {
            kinds.push_back(boost::json::value(directory::to_string(static_cast<recipients::mailbox_kind>(kind))));
        }
    }
    return json(200, {{"items", std::move(items)},
                      {"next", found->next.empty() ? boost::json::value(nullptr)
                                                   : boost::json::value(make_cursor(page.order, found->next))},
                      {"billable", *total},
                      {"billed_kinds", std::move(kinds)}});
}

}  // namespace postern::api
