#include "control/mailroute/accounts.h"

#include <algorithm>

#include "control/directory/mailroute.h"

namespace postern::mailroute {

std::string whole_address(std::string_view local_or_address, std::string_view domain_name) {
    return local_or_address.find('@') == std::string_view::npos
               ? std::string(local_or_address) + '@' + std::string(domain_name)
               : std::string(local_or_address);
}

result<directory::mailbox> find_whole_account(const change& in, std::int64_t id, std::string_view doing) {
    auto found = directory::find_mailbox(in.in, static_cast<std::uint64_t>(id));
    if (!found) {
        return refuse(found.error());
    }
    for (const directory::alias& each : found->aliases) {
        const auto inside = directory::has_alias(in.in, in.within(), each);
        if (!inside) {
            return refuse(inside.error());
        }
        if (!*inside) {
            return refuse(409, "Other domains have aliases of " + found->address + "; it is " + std::string(doing) +
                                   " with a key for the whole customer.");
        }
    }
    return std::move(*found);
}

result<void> see_address(const change& in, const resource& of, const std::string& address, std::string_view field) {
    const auto inside = directory::check_address(in.in, in.within(), address, field);
    if (!inside) {
        return refuse(of, inside.error(), {{field, field}});
    }
    return {};
}

directory::error without_owner(const change& in, directory::error from) {
    if (from.kind == directory::error_kind::conflict && in.within().reach < directory::reach::organisation) {
        from.text = "an address is in the list already";
    }
    return from;
}

result<void> after_adding(change& in, std::uint32_t domain_id) {
    const auto set = directory::enforce_if_listed(in.in, domain_id);
    if (!set) {
        return refuse(set.error());
    }
    return {};
}

result<directory::mailbox> add_account(change& in, const std::string& address, std::vector<std::string> aliases,
                                       std::string_view field) {
    for (const std::string& each : aliases) {
        if (const auto seen = see_address(in, email_account, each, "aliases"); !seen) {
            return tl::unexpected(seen.error());
        }
    }
    directory::new_mailbox wanted;
    wanted.address = address;
    wanted.aliases = std::move(aliases);
    auto made = directory::add_mailbox(in.in, wanted);
    if (!made) {
        return refuse(email_account, without_owner(in, made.error()), {{"address", field}, {"aliases", "aliases"}});
    }
    return std::move(*made);
}

}  // namespace postern::mailroute
