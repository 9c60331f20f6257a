#include "control/mailroute/target.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "control/mailroute/uris.h"

namespace postern::mailroute {
namespace {

constexpr std::size_t max_path = 512;
constexpr std::size_t max_parts = 8;

// What MailRoute documents and Postern has not.
constexpr auto not_here = std::to_array<std::string_view>({
    "admins",
    "brandinginfo",
    "contact_customer",
    "contact_domain",
    "contact_email_account",
    "contact_reseller",
    "domain_with_alias",
    "mailaddr",
    "notification_account_task",
    "notification_domain_task",
    "outbound_server",
    "policy",
    "policy_domain",
    "policy_user",
    "quarantine",
    "quarantine_message",
    "wblist",
});
/// The same of what is below an object: /api/v1/domain/12/contacts/.
constexpr auto not_below = std::to_array<std::string_view>({"admins", "contacts", "quarantine", "regenerate_api_key"});

template <class Words>
bool is_one_of(const Words& words, std::string_view word) {
    return std::ranges::find(words, word) != words.end();
}

/// "domain/12/" as its parts.
std::vector<std::string_view> parts_of(std::string_view path) {
    std::vector<std::string_view> out;
    while (!path.empty() && out.size() <= max_parts) {
        const std::size_t end = path.find('/');
        out.push_back(path.substr(0, end));
        path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
    }
    return out;
}

target read_object(const resource& of, std::int64_t id, const std::vector<std::string_view>& parts) {
    if (parts.size() == 2) {
        return {target_kind::object, &of, id};
    }
    if (parts.size() == 3 && &of == &email_account && parts[2] == "mass_add_aliases") {
        return {target_kind::add_aliases, &of, id};
    }
    if (parts.size() == 3 && &of == &email_account && parts[2] == "users_to_alias") {
        return {target_kind::users_to_alias, &of, id};
    }
    if (parts.size() == 4 && &of == &domain && parts[2] == "email_accounts" && parts[3] == "mass_add") {
        return {target_kind::add_accounts, &of, id};
    }
    return is_one_of(not_below, parts[2]) ? target{target_kind::not_here} : target{};
}

/// `rest`: what follows /api/v1/, with a slash at the end.
target read_rest(std::string_view rest) {
    const std::vector<std::string_view> parts = parts_of(rest);
    if (parts.empty()) {
        return {target_kind::index};
    }
    if (parts.size() == 2 && parts[0] == "ldapsync" && parts[1] == "remote_data") {
        return {target_kind::remote_data};
    }
    if (is_one_of(not_here, parts[0])) {
        return {target_kind::not_here};
    }
    const resource* const of = find_resource(parts[0]);
    if (of == nullptr || parts.size() > max_parts) {
        return {};
    }
    if (parts.size() == 1) {
        return {target_kind::list, of};
    }
    if (const auto id = parse_id(parts[1])) {
        return read_object(*of, *id, parts);
    }
    if (parts.size() > 2) {
        return {};
    }
    if (parts[1] == "schema") {
        return {target_kind::schema, of};
    }
    if (parts[1] == "mass_add") {
        return {target_kind::mass_add, of};
    }
    return parts[1] == "mass_delete" ? target{target_kind::mass_delete, of} : target{};
}

}  // namespace

target read_target(std::string_view path) {
    if (path.size() > max_path) {
        return {};
    }
    if (std::string(path) + '/' == base_path) {
        return {target_kind::slash_missing};
    }
    if (!path.starts_with(base_path)) {
        return {};
    }
    const std::string_view rest = path.substr(base_path.size());
    if (rest.empty() || rest.ends_with('/')) {
        return read_rest(rest);
    }
    const target with_slash = read_rest(std::string(rest) + '/');
    return with_slash.kind == target_kind::nothing ? target{} : target{target_kind::slash_missing};
}

std::string_view allowed_methods(target_kind kind) {
    switch (kind) {
        case target_kind::index:
        case target_kind::schema:
            return "GET";
        case target_kind::list:
            return "GET, POST";
        case target_kind::object:
            return "GET, PUT, PATCH, DELETE";
        case target_kind::mass_delete:
            return "DELETE";
        case target_kind::mass_add:
        case target_kind::add_accounts:
        case target_kind::add_aliases:
        case target_kind::users_to_alias:
        case target_kind::remote_data:
            return "POST";
        case target_kind::nothing:
        case target_kind::slash_missing:
        case target_kind::not_here:
            break;
    }
    return "GET, POST, PUT, PATCH, DELETE";
}

bool is_allowed(target_kind kind, api::method verb) {
    // No method's name is part of another's.
    return allowed_methods(kind).find(api::to_string(verb)) != std::string_view::npos;
}

}  // namespace postern::mailroute
