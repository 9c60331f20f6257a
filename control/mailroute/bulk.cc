#include "control/mailroute/bulk.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "control/api/body.h"
#include "control/directory/domains.h"
#include "control/directory/reassign.h"
#include "control/mailroute/accounts.h"
#include "control/mailroute/input.h"
#include "control/mailroute/listing.h"
#include "control/mailroute/rows.h"
#include "control/mailroute/same_form.h"
#include "control/mailroute/uris.h"

namespace postern::mailroute {
namespace {

using boost::json::array;
using boost::json::value;

result<const array*> read_array(const value* body, std::string_view of) {
    const auto* const items = body == nullptr ? nullptr : body->if_array();
    if (items == nullptr) {
        return refuse(400, "The body has no list of " + std::string(of) + ".");
    }
    if (items->size() > api::max_bulk_items) {
        return refuse(400, "There are " + std::to_string(items->size()) + " " + std::string(of) +
                               "; one call takes at most " + std::to_string(api::max_bulk_items) + ".");
    }
    return items;
}

const value* member_of(const value& body, std::string_view name) {
    const auto* const object = body.if_object();
    return object == nullptr ? nullptr : object->if_contains(name);
}

/// A local part, or an object that has one; as JSON for one field it is read like any other's.
result<std::string> read_local_part(const value& item, std::string_view field) {
    const value* const named = item.is_object() ? item.get_object().if_contains("localpart") : &item;
    std::string text;
    if (named != nullptr && named->is_string()) {
        text = std::string(named->get_string());
    } else if (named != nullptr && named->is_int64()) {
        text = std::to_string(named->get_int64());
    }
    if (text.empty()) {
        return refuse(email_account, field, std::string(required_text));
    }
    return text;
}

/// The mailbox that has the address as its own, and may be seen; nullopt: none has.
result<std::optional<directory::mailbox>> own_address(const change& in, const std::string& address) {
    auto found = directory::find_mailbox(in.in, std::string_view(address));
    if (!found) {
        if (found.error().kind == directory::error_kind::not_found) {
            return std::optional<directory::mailbox>();
        }
        return refuse(found.error());
    }
    const std::string local = same_local_part(std::string_view(address).substr(0, address.rfind('@')));
    const bool own = found->valid && found->normal.starts_with(local + '@');
    return own ? std::optional<directory::mailbox>(std::move(*found)) : std::nullopt;
}

result<directory::mailbox> account_of(const change& in, std::int64_t id) {
    if (!has_object(in.in, in.within(), email_account, id)) {
        return refuse(404, "There is no email_account " + std::to_string(id) + ".");
    }
    auto found = directory::find_mailbox(in.in, static_cast<std::uint64_t>(id));
    if (!found) {
        return refuse(found.error());
    }
    return std::move(*found);
}

}  // namespace

result<std::vector<std::int64_t>> add_many(change& in, const resource& of, const value& body) {
    const auto items = read_array(&body, "objects");
    if (!items) {
        return tl::unexpected(items.error());
    }
    std::vector<std::int64_t> out;
    for (const value& each : **items) {
        const auto given = input::read(of, each, purpose::post);
        const auto made = given ? of.add(in, *given) : tl::unexpected(given.error());
        if (!made) {
            return tl::unexpected(made.error());
        }
        out.push_back(*made);
    }
    return out;
}

result<void> delete_many(change& in, const resource& of, std::string_view query) {
    const auto ids = read_ids(query);
    if (!ids) {
        return tl::unexpected(ids.error());
    }
    for (const std::int64_t id : *ids) {
        if (has_object(in.in, in.within(), of, id)) {
            if (auto removed = of.remove(in, id); !removed) {
                return removed;
            }
        }
    }
    return {};
}

result<std::vector<std::int64_t>> add_accounts(change& in, std::int64_t domain_id, const value& body) {
    if (!has_object(in.in, in.within(), domain, domain_id)) {
        return refuse(404, "There is no domain " + std::to_string(domain_id) + ".");
    }
    const auto of = directory::find_domain(in.in, static_cast<std::uint32_t>(domain_id));
    if (!of) {
        return refuse(of.error());
    }
    const auto items = read_array(&body, "local parts");
    if (!items) {
        return tl::unexpected(items.error());
    }
    std::vector<std::int64_t> out;
    for (const value& each : **items) {
        const auto local = read_local_part(each, "localpart");
        if (!local) {
            return tl::unexpected(local.error());
        }
        const std::string address = *local + '@' + of->name;
        const auto known = own_address(in, address);
        if (!known) {
            return tl::unexpected(known.error());
        }
        if (*known) {
            out.push_back(static_cast<std::int64_t>((*known)->id));
            continue;
        }
        const auto made = add_account(in, address, {}, "localpart");
        if (!made) {
            return tl::unexpected(made.error());
        }
        out.push_back(static_cast<std::int64_t>(made->id));
    }
    if (const auto done = after_adding(in, of->id); !done) {
        return tl::unexpected(done.error());
    }
    return out;
}

result<void> add_aliases(change& in, std::int64_t account, const value& body) {
    const auto box = account_of(in, account);
    if (!box) {
        return tl::unexpected(box.error());
    }
    const auto items = read_array(member_of(body, "aliases"), "\"aliases\"");
    if (!items) {
        return tl::unexpected(items.error());
    }
    const std::string domain_name = box->address.substr(box->address.rfind('@') + 1);
    for (const value& each : **items) {
        const auto local = read_local_part(each, "aliases");
        if (!local) {
            return tl::unexpected(local.error());
        }
        const std::string address = whole_address(*local, domain_name);
        if (auto seen = see_address(in, email_account, address, "aliases"); !seen) {
            return seen;
        }
        if (const auto known = directory::find_alias(in.in, std::string_view(address));
            known && known->mailbox == box->id && known->valid) {
            continue;
        }
        const auto made = directory::add_alias(in.in, box->id, address);
        if (!made) {
            return refuse(email_account, without_owner(in, made.error()), {{"address", "aliases"}});
        }
    }
    return after_adding(in, box->domain);
}

result<void> turn_into_aliases(change& in, std::int64_t account, const value& body) {
    const auto to = account_of(in, account);
    if (!to) {
        return tl::unexpected(to.error());
    }
    const auto items = read_array(member_of(body, "accounts"), "\"accounts\"");
    if (!items) {
        return tl::unexpected(items.error());
    }
    std::vector<std::uint64_t> ids;
    for (const value& each : **items) {
        std::optional<std::int64_t> id;
        if (each.is_string()) {
            id = parse_reference(each.get_string(), email_account.name);
        } else if (each.is_int64()) {
            id = each.get_int64();
        }
        if (!id || !has_object(in.in, in.within(), email_account, *id)) {
            const std::string named = each.is_string() ? std::string(each.get_string()) : boost::json::serialize(each);
            return refuse(email_account, "accounts", "\"" + named.substr(0, 200) + "\" is no e-mail account.");
        }
        const auto whole = find_whole_account(in, *id, "made an alias");
        if (!whole) {
            return tl::unexpected(whole.error());
        }
        ids.push_back(whole->id);
    }
    const auto changed = directory::reassign_mailboxes(in.in, to->id, ids);
    if (!changed) {
        return refuse(email_account, changed.error(), {{"mailboxes", "accounts"}});
    }
    return {};
}

}  // namespace postern::mailroute
