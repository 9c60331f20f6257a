// Pinning, blocking and lifting by address alone: a mailbox, an alias, or what nothing lists.
#include <boost/json/object.hpp>

#include "control/api/body.h"
#include "control/api/handlers.h"
#include "control/api/lookups.h"
#include "control/api/scope.h"

namespace postern::api {
namespace {

using boost::json::object;

object told(const std::string& address, directory::hold hold, bool valid, std::string_view what) {
    return {{"address", address}, {"hold", directory::to_string(hold)}, {"valid", valid}, {"is", what}};
}

directory::result<object> hold_alias(directory::writer& in, const directory::alias& found, directory::hold as) {
    const auto changed = directory::set_alias_hold(in, found.id, as);
    if (!changed) {
        return tl::unexpected(changed.error());
    }
    return told(changed->address, changed->hold, changed->valid, "alias");
}

directory::result<object> hold_mailbox(directory::writer& in, std::uint64_t id, directory::hold as) {
    directory::mailbox_change change;
    change.hold = as;
    const auto changed = directory::change_mailbox(in, id, change);
    if (!changed) {
        return tl::unexpected(changed.error());
    }
    return told(changed->address, changed->hold, changed->valid, "mailbox");
}

/// What nothing lists can be blocked alone; it is put into the group that the token is for.
directory::result<object> hold_unlisted(directory::writer& in, const directory::scope& within,
                                        const std::string& address, directory::hold as) {
    if (as != directory::hold::blocked) {
        return tl::unexpected(directory::absent(in, address));
    }
    const auto made = directory::block_address(in, address);
    if (!made) {
        return tl::unexpected(made.error());
    }
    if (within.reach == directory::reach::group) {
        directory::mailbox_change change;
        change.group = within.group_name;
        if (const auto moved = directory::change_mailbox(in, made->id, change); !moved) {
            return tl::unexpected(moved.error());
        }
    }
    return told(made->address, made->hold, made->valid, "unlisted");
}

directory::result<object> put(directory::writer& in, const directory::scope& within, const std::string& address,
                              directory::hold as) {
    if (const auto inside = directory::check_address(in, within, address, "address"); !inside) {
        return tl::unexpected(inside.error());
    }
    const auto taken = [&]() -> directory::result<object> {
        return directory::fail(directory::error_kind::conflict, address + " is in the list already", "address");
    };
    if (const auto found = directory::find_alias(in, std::string_view(address))) {
        const auto inside = directory::has_alias(in, within, *found);
        if (!inside) {
            return tl::unexpected(inside.error());
        }
        return *inside ? hold_alias(in, *found, as) : taken();
    }
    const auto box = directory::find_mailbox(in, std::string_view(address));
    if (!box) {
        return box.error().kind == directory::error_kind::not_found ? hold_unlisted(in, within, address, as)
                                                                    : tl::unexpected(box.error());
    }
    const auto inside = directory::has_mailbox(in, within, *box);
    if (!inside) {
        return tl::unexpected(inside.error());
    }
    return *inside ? hold_mailbox(in, box->id, as) : taken();
}

}  // namespace

answer<response> put_hold(service& /*with*/, directory::writer& in, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto body = parse_json_object(of.asked);
    if (!body) {
        return failure(body);
    }
    std::vector<field_error> errors;
    members given(*body, "", errors);
    const std::string address = given.required_text("address", 1024);
    const auto word = given.word("hold", {"none", "pinned", "blocked"});
    if (!word && errors.empty()) {
        given.refuse("hold", "is missing: none, pinned or blocked");
    }
    given.finish();
    if (!errors.empty()) {
        return tl::unexpected(invalid(std::move(errors)));
    }
    const auto done = put(in, scope_of(of), address, directory::parse_hold(*word).value_or(directory::hold::none));
    if (!done) {
        return failure(done);
    }
    return json(200, *done);
}

}  // namespace postern::api
