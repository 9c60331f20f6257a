// Aliases.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "control/api/body.h"
#include "control/api/handlers.h"
#include "control/api/lookups.h"
#include "control/api/represent.h"

namespace postern::api {
namespace {

/// By id or by its address.
answer<directory::alias> alias_argument(const directory::reader& in, const call& of) {
    const std::string& text = of.argument(0);
    if (text.find('@') == std::string::npos) {
        const auto id = id_argument(of, 0, static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
        if (!id) {
            return failure(id);
        }
        auto found = directory::find_alias(in, *id);
        if (!found) {
            return failure(found);
        }
        const auto inside = directory::has_alias(in, scope_of(of), *found);
        if (!inside) {
            return failure(inside);
        }
        if (!*inside) {
            return tl::unexpected(not_found("there is no alias " + std::to_string(*id)));
        }
        return std::move(*found);
    }
    if (const auto inside = directory::check_address(in, scope_of(of), text, "address"); !inside) {
        return tl::unexpected(not_found(inside.error().text));
    }
    auto found = directory::find_alias(in, std::string_view(text));
    if (found) {
        const auto inside = directory::has_alias(in, scope_of(of), *found);
        if (!inside) {
            return failure(inside);
        }
        if (*inside) {
            return std::move(*found);
        }
    } else if (found.error().kind != directory::error_kind::not_found) {
        return failure(found);
    }
    const auto box = find_mailbox_by(in, of, text);
    if (!box) {
        return failure(box);
    }
    return tl::unexpected(not_found(text + " is a mailbox's own address, not an alias: /v1/mailboxes has it."));
}

struct alias_input {
    std::string address;
    std::string mailbox;
};

alias_input read_new_alias(members& given) {
    alias_input out;
    out.address = given.required_text("address", 1024);
    out.mailbox = given.id_or_name("mailbox");
    given.finish();
    return out;
}

answer<directory::alias> add_one(directory::writer& in, const call& of, const alias_input& input,
                                 const std::string& pointer) {
    const auto box = find_mailbox_by(in, of, input.mailbox);
    if (!box) {
        return tl::unexpected(invalid(pointer + "/mailbox", box.error().detail));
    }
    const directory::scope& within = scope_of(of);
    const auto inside = directory::check_address(in, within, input.address, "address");
    auto made = inside ? directory::add_alias(in, box->id, input.address) : tl::unexpected(inside.error());
    if (!made && made.error().kind == directory::error_kind::conflict &&
        within.reach < directory::reach::organisation) {
        made.error().text = input.address + " is in the list already";  // whose it is may be outside
    }
    if (!made) {
        problem why = to_problem(made.error());
        for (field_error& each : why.errors) {
            each.pointer = pointer + each.pointer;
        }
        return tl::unexpected(std::move(why));
    }
    return std::move(*made);
}

}  // namespace

answer<response> list_aliases(service& /*with*/, directory::reader& in, call& of) {
    const page_request page = of.parameters.paging({"id"});
    directory::alias_filter filter;
    const auto domain = domain_parameter(in, of, "domain");
    const auto mailbox = of.parameters.text("mailbox");
    filter.search = of.parameters.text("q").value_or("");
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    if (!domain) {
        return failure(domain);
    }
    filter.domain = *domain;
    if (mailbox) {
        const auto box = find_mailbox_by(in, of, *mailbox);
        if (!box) {
            return tl::unexpected(bad_request(box.error().detail, {{"?mailbox", box.error().detail}}));
        }
        filter.mailbox = box->id;
    }
    filter.within = &scope_of(of);
    const auto found = directory::list_aliases(in, filter, to_directory(page));
    if (!found) {
        return failure(found);
    }
    return list_response(*found, page, [](const directory::alias& each) { return represent(each); });
}

answer<response> add_alias(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto body = parse_json_object(of.asked);
    if (!body) {
        return failure(body);
    }
    std::vector<field_error> errors;
    members given(*body, "", errors);
    const alias_input input = read_new_alias(given);
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    const auto made = add_one(in, of, input, "");
    if (!made) {
        return failure(made);
    }
    return created("/v1/aliases/" + std::to_string(made->id), represent(*made));
}

answer<response> add_aliases(service& /*with*/, directory::writer& in, call& of) {
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
    std::vector<alias_input> inputs;
    for (std::size_t at = 0; items && at < items->size() && errors.size() < 100; ++at) {
        members each(*(*items)[at], "/items/" + std::to_string(at), errors);
        inputs.push_back(read_new_alias(each));
    }
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    boost::json::array made;
    for (std::size_t at = 0; at < inputs.size() && errors.size() < 100; ++at) {
        const std::string pointer = "/items/" + std::to_string(at);
        const auto added = add_one(in, of, inputs[at], pointer);
        if (added) {
            made.push_back(boost::json::object{{"id", added->id}, {"address", added->address}});
        } else if (added.error().status >= 500) {
            return failure(added);
        } else if (added.error().errors.empty()) {
            errors.push_back({pointer, added.error().detail});
        } else {
            errors.push_back(added.error().errors.front());
        }
    }
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    return json(200, {{"added", made.size()}, {"items", std::move(made)}});
}

answer<response> get_alias(service& /*with*/, directory::reader& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto found = alias_argument(in, of);
    if (!found) {
        return failure(found);
    }
    return tagged(200, represent(*found));
}

answer<response> edit_alias(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto present = alias_argument(in, of);
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
    const auto hold = given.word("hold", {"none", "pinned", "blocked"});
    if (!hold && errors.empty()) {
        given.refuse("hold", "is missing");
    }
    given.finish();
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    const auto changed =
        directory::set_alias_hold(in, present->id, directory::parse_hold(*hold).value_or(directory::hold::none));
    if (!changed) {
        return failure(changed);
    }
    return tagged(200, represent(*changed));
}

answer<response> remove_alias(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto present = alias_argument(in, of);
    if (!present) {
        return failure(present);
    }
    if (const auto same = check_match(of, represent(*present)); !same) {
        return failure(same);
    }
    if (const auto removed = directory::remove_alias(in, present->id); !removed) {
        return failure(removed);
    }
    return no_content();
}

}  // namespace postern::api
