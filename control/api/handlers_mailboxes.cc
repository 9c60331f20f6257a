// Mailboxes: list, add, edit, remove, and many at once.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "control/api/body.h"
#include "control/api/encode.h"
#include "control/api/handlers.h"
#include "control/api/lookups.h"
#include "control/api/represent.h"

namespace postern::api {
namespace {

constexpr std::size_t max_aliases = 1000;

struct mailbox_input {
    directory::new_mailbox mailbox;
    std::optional<directory::hold> hold;
};

mailbox_input read_new_mailbox(members& given) {
    mailbox_input out;
    out.mailbox.address = given.required_text("address", 1024);
    out.mailbox.first_name = given.text("first_name").value_or("");
    out.mailbox.last_name = given.text("last_name").value_or("");
    if (given.is_null("group")) {
        given.known("group");
    } else {
        out.mailbox.group = given.text("group").value_or("");
    }
    if (const auto kind = given.word("kind", {"user", "shared", "resource", "list", "unclassified"})) {
        out.mailbox.kind = directory::parse_kind(*kind).value_or(recipients::mailbox_kind::user);
    }
    out.mailbox.internal_only = given.flag("internal_only").value_or(false);
    if (auto aliases = given.texts("aliases", max_aliases)) {
        out.mailbox.aliases = std::move(*aliases);
    }
    if (const auto hold = given.word("hold", {"none", "pinned", "blocked"})) {
        out.hold = directory::parse_hold(*hold);
    }
    given.finish();
    return out;
}

/// A blocked address needs no mailbox: blocking comes without asserting it.
directory::result<directory::mailbox> add_one(directory::writer& in, const mailbox_input& input) {
    if (input.hold == directory::hold::blocked) {
        return directory::block_address(in, input.mailbox.address);
    }
    auto made = directory::add_mailbox(in, input.mailbox);
    if (made && input.hold && *input.hold != directory::hold::none) {
        directory::mailbox_change change;
        change.hold = input.hold;
        return directory::change_mailbox(in, made->id, change);
    }
    return made;
}

}  // namespace

answer<response> list_mailboxes(service& /*with*/, directory::reader& in, call& of) {
    const page_request page = of.parameters.paging({"id"});
    directory::mailbox_filter filter;
    const auto domain = domain_parameter(in, of.parameters, "domain");
    filter.organisation = id_parameter(of.parameters, "organisation");
    if (const auto kind = of.parameters.word("kind", {"user", "shared", "resource", "list", "unclassified"})) {
        filter.kind = directory::parse_kind(*kind);
    }
    filter.group = of.parameters.text("group");
    if (const auto hold = of.parameters.word("hold", {"none", "pinned", "blocked"})) {
        filter.hold = directory::parse_hold(*hold);
    }
    filter.valid = of.parameters.flag("valid");
    filter.source = of.parameters.text("source").value_or("");
    filter.search = of.parameters.text("q").value_or("");
    const bool count = of.parameters.flag("count").value_or(false);
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    if (!domain) {
        return failure(domain);
    }
    filter.domain = *domain;
    const auto found = directory::list_mailboxes(in, filter, to_directory(page));
    if (!found) {
        return failure(found);
    }
    response made = list_response(*found, page, [](const directory::mailbox& each) { return represent(each); });
    if (count) {
        const auto total = directory::count_mailboxes(in, filter);
        if (!total) {
            return failure(total);
        }
        made.fields.emplace_back("Postern-Total", std::to_string(*total));
    }
    return made;
}

answer<response> add_mailbox(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto body = parse_json_object(of.asked);
    if (!body) {
        return failure(body);
    }
    std::vector<field_error> errors;
    members given(*body, "", errors);
    const mailbox_input input = read_new_mailbox(given);
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    const auto made = add_one(in, input);
    if (!made) {
        return failure(made);
    }
    return created("/v1/mailboxes/" + std::to_string(made->id), represent(*made));
}

answer<response> add_mailboxes(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto body = parse_json_object(of.asked);
    if (!body) {
        return failure(body);
    }
    std::vector<field_error> errors;
    members given(*body, "", errors);
    const auto items = given.objects("items", max_bulk_items);
    if (!items && errors.empty()) {
        given.refuse("items", "is missing");
    }
    given.finish();
    std::vector<mailbox_input> inputs;
    for (std::size_t at = 0; items && at < items->size() && errors.size() < 100; ++at) {
        members each(*(*items)[at], "/items/" + std::to_string(at), errors);
        inputs.push_back(read_new_mailbox(each));
    }
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    boost::json::array made;
    for (std::size_t at = 0; at < inputs.size(); ++at) {
        const auto added = add_one(in, inputs[at]);
        if (!added && added.error().kind != directory::error_kind::invalid &&
            added.error().kind != directory::error_kind::conflict &&
            added.error().kind != directory::error_kind::not_found) {
            return failure(added);
        }
        if (!added) {
            // All or nothing, so all that is wrong is told at once.
            errors.push_back({"/items/" + std::to_string(at) +
                                  (added.error().field.empty() ? std::string() : "/" + added.error().field),
                              added.error().text});
            if (errors.size() >= 100) {
                break;
            }
            continue;
        }
        made.push_back(boost::json::object{{"id", added->id}, {"address", added->address}});
    }
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    return json(200, {{"added", made.size()}, {"items", std::move(made)}});
}

answer<response> get_mailbox(service& /*with*/, directory::reader& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto found = find_mailbox_by(in, of.argument(0));
    if (!found) {
        return failure(found);
    }
    return tagged(200, represent(*found));
}

answer<response> edit_mailbox(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto present = find_mailbox_by(in, of.argument(0));
    if (!present) {
        return failure(present);
    }
    if (const auto same = check_match(of, represent(*present)); !same) {
        return failure(same);
    }
    const auto body = parse_json_object(of.asked);
    if (!body) {
        return failure(body);
    }
    std::vector<field_error> errors;
    members given(*body, "", errors);
    directory::mailbox_change change;
    change.first_name = given.text("first_name");
    change.last_name = given.text("last_name");
    if (given.is_null("group")) {
        given.known("group");
        change.group = "";
    } else {
        change.group = given.text("group");
    }
    if (const auto kind = given.word("kind", {"user", "shared", "resource", "list", "unclassified"})) {
        change.kind = directory::parse_kind(*kind);
    }
    change.internal_only = given.flag("internal_only");
    if (const auto hold = given.word("hold", {"none", "pinned", "blocked"})) {
        change.hold = directory::parse_hold(*hold);
    }
    change.aliases = given.texts("aliases", max_aliases);
    given.finish();
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    const auto changed = directory::change_mailbox(in, present->id, change);
    if (!changed) {
        return failure(changed);
    }
    return tagged(200, represent(*changed));
}

answer<response> remove_mailbox(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto present = find_mailbox_by(in, of.argument(0));
    if (!present) {
        return failure(present);
    }
    if (const auto same = check_match(of, represent(*present)); !same) {
        return failure(same);
    }
    if (const auto removed = directory::remove_mailbox(in, present->id); !removed) {
        return failure(removed);
    }
    return no_content();
}

}  // namespace postern::api
