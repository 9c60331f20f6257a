// Mailboxes: list, add, edit, remove, and many at once.
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "control/api/body.h"
#include "control/api/encode.h"
#include "control/api/handlers.h"
#include "control/api/lookups.h"
#include "control/api/represent.h"
#include "control/directory/reassign.h"

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

/// What the scope has to say of a new mailbox, as the directory would say it.
directory::result<void> check_scope(const directory::reader& in, const directory::scope& within,
                                    directory::new_mailbox& input) {
    if (auto inside = directory::check_address(in, within, input.address, "address"); !inside) {
        return inside;
    }
    for (const std::string& each : input.aliases) {
        if (auto inside = directory::check_address(in, within, each, "aliases"); !inside) {
            return inside;
        }
    }
    if (within.reach == directory::reach::group) {
        input.group = input.group.empty() ? within.group_name : input.group;
        if (input.group != within.group_name) {
            return directory::fail(directory::error_kind::invalid, "the token is for the group " + within.group_name,
                                   "group");
        }
    }
    return {};
}

/// A blocked address needs no mailbox: blocking comes without asserting it.
directory::result<directory::mailbox> block_one(directory::writer& in, const directory::scope& within,
                                                const std::string& address) {
    const auto known = directory::find_mailbox(in, std::string_view(address));
    if (within.reach == directory::reach::group && known) {
        const auto inside = directory::has_mailbox(in, within, *known);
        if (!inside || !*inside) {
            return inside ? directory::fail(directory::error_kind::conflict, address + " is in the list already")
                          : tl::unexpected(inside.error());
        }
    }
    auto made = directory::block_address(in, address);
    if (made && !known && within.reach == directory::reach::group) {
        directory::mailbox_change change;
        change.group = within.group_name;
        return directory::change_mailbox(in, made->id, change);
    }
    return made;
}

directory::result<directory::mailbox> add_one(directory::writer& in, const directory::scope& within,
                                              mailbox_input input) {
    if (const auto good = check_scope(in, within, input.mailbox); !good) {
        return tl::unexpected(good.error());
    }
    if (input.hold == directory::hold::blocked) {
        return block_one(in, within, input.mailbox.address);
    }
    auto made = directory::add_mailbox(in, input.mailbox);
    if (!made && made.error().kind == directory::error_kind::conflict &&
        within.reach < directory::reach::organisation) {
        // Whose alias it is may be outside.
        made.error().text = "an address is in the list already";
    }
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
    const auto domain = domain_parameter(in, of, "domain");
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
    filter.within = &scope_of(of);
    auto found = directory::list_mailboxes(in, filter, to_directory(page));
    if (!found) {
        return failure(found);
    }
    for (directory::mailbox& each : found->items) {
        auto box = shown(in, of, std::move(each));
        if (!box) {
            return failure(box);
        }
        each = std::move(*box);
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
    const auto made = add_one(in, scope_of(of), input);
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
        const auto added = add_one(in, scope_of(of), inputs[at]);
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
    const auto found = find_mailbox_by(in, of, of.argument(0));
    if (!found) {
        return failure(found);
    }
    return tagged(200, represent(*found));
}

namespace {

/// Aliases that the scope hides stay when the others are set; the mailbox stays in the scope's group.
directory::result<void> check_change(const directory::reader& in, const call& of, const directory::mailbox& present,
                                     directory::mailbox_change& change) {
    const directory::scope& within = scope_of(of);
    if (within.reach == directory::reach::group && change.group && *change.group != within.group_name) {
        return directory::fail(directory::error_kind::invalid, "the token is for the group " + within.group_name,
                               "group");
    }
    if (!change.aliases || within.is_everything()) {
        return {};
    }
    for (const std::string& each : *change.aliases) {
        if (auto inside = directory::check_address(in, within, each, "aliases"); !inside) {
            return inside;
        }
    }
    const auto whole = directory::find_mailbox(in, present.id);
    if (!whole) {
        return tl::unexpected(whole.error());
    }
    for (const directory::alias& each : whole->aliases) {
        const bool seen = std::any_of(present.aliases.begin(), present.aliases.end(),
                                      [&](const directory::alias& other) { return other.id == each.id; });
        if (!seen) {
            change.aliases->push_back(each.address);
        }
    }
    return {};
}

}  // namespace

answer<response> edit_mailbox(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto present = find_mailbox_by(in, of, of.argument(0));
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
    if (const auto good = check_change(in, of, *present, change); !good) {
        return failure(good);
    }
    auto changed = directory::change_mailbox(in, present->id, change);
    if (!changed) {
        return failure(changed);
    }
    const auto box = shown(in, of, std::move(*changed));
    if (!box) {
        return failure(box);
    }
    return tagged(200, represent(*box));
}

answer<response> remove_mailbox(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto present = find_mailbox_by(in, of, of.argument(0));
    if (!present) {
        return failure(present);
    }
    if (const auto same = check_match(of, represent(*present)); !same) {
        return failure(same);
    }
    const auto whole = directory::find_mailbox(in, present->id);
    if (!whole) {
        return failure(whole);
    }
    if (whole->aliases.size() != present->aliases.size()) {
        return tl::unexpected(conflict("Other domains have aliases of " + present->address +
                                       "; its organisation's administrator removes it."));
    }
    if (const auto removed = directory::remove_mailbox(in, present->id); !removed) {
        return failure(removed);
    }
    return no_content();
}

answer<response> reassign_mailboxes(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto to = find_mailbox_by(in, of, of.argument(0));
    if (!to) {
        return failure(to);
    }
    const auto body = parse_json_object(of.asked);
    if (!body) {
        return failure(body);
    }
    std::vector<field_error> errors;
    members given(*body, "", errors);
    const auto named = given.texts("mailboxes", max_aliases);
    if (!given.has("mailboxes") || (named && named->empty())) {
        given.refuse("mailboxes", "name the mailboxes that become aliases");
    }
    given.finish();
    std::vector<std::uint64_t> ids;
    for (std::size_t at = 0; named && at < named->size(); ++at) {
        const std::string pointer = "/mailboxes/" + std::to_string(at);
        const auto box = find_mailbox_by(in, of, (*named)[at]);
        if (!box) {
            errors.push_back({pointer, box.error().detail});
            continue;
        }
        const auto whole = directory::find_mailbox(in, box->id);
        if (!whole) {
            return failure(whole);
        }
        if (directory::find_alias(in, std::string_view((*named)[at]))) {
            errors.push_back({pointer, (*named)[at] + " is an alias of " + box->address + "; name the mailbox"});
        } else if (whole->aliases.size() != box->aliases.size()) {
            errors.push_back({pointer, "other domains have aliases of " + box->address +
                                           "; its organisation's administrator reassigns it"});
        } else {
            ids.push_back(box->id);
        }
    }
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    auto changed = directory::reassign_mailboxes(in, to->id, ids);
    if (!changed) {
        return failure(changed);
    }
    const auto box = shown(in, of, std::move(*changed));
    if (!box) {
        return failure(box);
    }
    return tagged(200, represent(*box));
}

}  // namespace postern::api
