#include "control/api/lookups.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "control/api/encode.h"

namespace postern::api {
namespace {

/// A text of digits only is an id; names and addresses have a letter or a dot.
std::optional<std::uint64_t> as_id(const std::string& text) {
    std::uint64_t id = 0;
    const char* const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, id);
    return parsed.ec == std::errc() && parsed.ptr == end ? std::optional<std::uint64_t>(id) : std::nullopt;
}

}  // namespace

response created(const std::string& location, const boost::json::object& body) {
    response made = tagged(201, body);
    made.fields.emplace_back("Location", location);
    return made;
}

std::uint32_t id_parameter(query& from, std::string_view name) {
    return static_cast<std::uint32_t>(from.number(name, 1, max_id32).value_or(0));
}

answer<directory::domain> find_domain_by(const directory::reader& in, const call& of, const std::string& id_or_name) {
    const auto id = as_id(id_or_name);
    if (id && (*id == 0 || *id > static_cast<std::uint64_t>(max_id32))) {
        return tl::unexpected(not_found("There is no domain with the id " + id_or_name + "."));
    }
    auto found = id ? directory::find_domain(in, static_cast<std::uint32_t>(*id))
                    : directory::find_domain(in, std::string_view(id_or_name));
    if (!found) {
        // A name that is none is, as a part of a path, just not there.
        return tl::unexpected(found.error().kind == directory::error_kind::invalid ? not_found(found.error().text)
                                                                                   : to_problem(found.error()));
    }
    if (!scope_of(of).has(*found)) {
        return tl::unexpected(not_found(id ? "there is no domain " + std::to_string(*id)
                                           : "the domain " + found->name + " is not served here"));
    }
    return std::move(*found);
}

answer<directory::domain> domain_argument(const directory::reader& in, const call& of, bool alias) {
    auto found = find_domain_by(in, of, of.argument(0));
    if (found && (found->target != 0) != alias) {
        return tl::unexpected(not_found(alias ? found->name + " is a domain, not a domain alias: /v1/domains has it."
                                              : found->name + " is a domain alias: /v1/domain-aliases has it."));
    }
    return found;
}

answer<std::uint32_t> domain_parameter(const directory::reader& in, call& of, std::string_view name) {
    const auto text = of.parameters.text(name);
    if (!text) {
        return 0U;
    }
    const auto found = find_domain_by(in, of, *text);
    if (!found) {
        return tl::unexpected(bad_request(found.error().detail, {{"?" + std::string(name), found.error().detail}}));
    }
    // An alias has no addresses of its own: its target's are meant.
    return found->target != 0 ? found->target : found->id;
}

answer<directory::mailbox> shown(const directory::reader& in, const call& of, directory::mailbox box) {
    const directory::scope& within = scope_of(of);
    if (within.is_everything() || within.reach == directory::reach::organisation) {
        return box;
    }
    for (auto each = box.aliases.begin(); each != box.aliases.end();) {
        const auto inside = directory::has_domain(in, within, each->domain);
        if (!inside) {
            return failure(inside);
        }
        each = *inside ? std::next(each) : box.aliases.erase(each);
    }
    return box;
}

answer<directory::mailbox> find_mailbox_by(const directory::reader& in, const call& of,
                                           const std::string& id_or_address) {
    const auto id = as_id(id_or_address);
    if (id && *id > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        return tl::unexpected(not_found("There is no mailbox with the id " + id_or_address + "."));
    }
    if (!id) {
        if (const auto inside = directory::check_address(in, scope_of(of), id_or_address, "address"); !inside) {
            return tl::unexpected(inside.error().kind == directory::error_kind::invalid ? not_found(inside.error().text)
                                                                                        : to_problem(inside.error()));
        }
    }
    auto found = id ? directory::find_mailbox(in, *id) : directory::find_mailbox(in, std::string_view(id_or_address));
    if (!found) {
        return failure(found);
    }
    const auto inside = directory::has_mailbox(in, scope_of(of), *found);
    if (!inside) {
        return failure(inside);
    }
    if (!*inside) {
        return tl::unexpected(
            not_found(id ? "there is no mailbox " + std::to_string(*id) : directory::absent(in, id_or_address).text));
    }
    return shown(in, of, std::move(*found));
}

}  // namespace postern::api
