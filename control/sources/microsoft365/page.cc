#include "control/sources/microsoft365/page.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <optional>
#include <utility>

#include "control/sources/text.h"

namespace postern::sources::microsoft365 {
namespace {

using boost::json::object;
using boost::json::value;

constexpr std::size_t deepest = 16;
constexpr std::size_t most_objects = 10'000;   ///< of a page; Graph gives some hundreds
constexpr std::size_t most_addresses = 5'000;  ///< of an object; Exchange takes 400 or so
constexpr std::size_t longest_text = 2'048;
constexpr std::size_t longest_id = 128;
constexpr std::size_t longest_link = 32U << 10U;

constexpr std::string_view user_members =
    "id,mail,proxyAddresses,userPrincipalName,userType,accountEnabled,assignedLicenses,givenName,surname";
constexpr std::string_view group_members = "id,displayName,mail,mailEnabled,proxyAddresses";

std::string_view members_of(collection which) noexcept {
    return which == collection::users ? user_members : group_members;
}

tl::unexpected<std::string> wrong(std::string_view member, std::string_view what) {
    return tl::unexpected(std::string(member) + " " + std::string(what));
}

/// Takes members of one object; the first that is of the wrong type is kept.
class member_reader {
public:
    explicit member_reader(const object& from) : _from(from) {}

    /// Null is as not told.
    void text(std::string_view name, std::string& to, std::size_t most = longest_text) {
        const value* const found = find(name);
        if (found == nullptr) {
            return;
        }
        if (!found->is_string() || found->get_string().size() > most) {
            refuse(name, "is no string of at most " + std::to_string(most) + " octets");
            return;
        }
        to = found->get_string();
    }
    void flag(std::string_view name, bool& to) {
        const value* const found = find(name);
        if (found == nullptr) {
            return;
        }
        if (!found->is_bool()) {
            refuse(name, "is neither true nor false");
            return;
        }
        to = found->get_bool();
    }
    const boost::json::array* list(std::string_view name, std::size_t most) {
        const value* const found = find(name);
        if (found == nullptr) {
            return nullptr;
        }
        if (!found->is_array() || found->get_array().size() > most) {
            refuse(name, "is no array of at most " + std::to_string(most) + " values");
            return nullptr;
        }
        return &found->get_array();
    }
    void texts(std::string_view name, std::vector<std::string>& to) {
        const boost::json::array* const found = list(name, most_addresses);
        for (std::size_t at = 0; found != nullptr && at < found->size(); ++at) {
            const value& each = (*found)[at];
            if (!each.is_string() || each.get_string().size() > longest_text) {
                refuse(name, "has a value that is no string of at most " + std::to_string(longest_text) + " octets");
                return;
            }
            to.emplace_back(each.get_string());
        }
    }
    void refuse(std::string_view name, const std::string& what) {
        if (!_wrong) {
            _wrong = std::string(name) + " " + what;
        }
    }
    const std::optional<std::string>& wrong() const noexcept { return _wrong; }

private:
    const value* find(std::string_view name) const {
        const value* const found = _from.if_contains(name);
        return found == nullptr || found->is_null() ? nullptr : found;
    }
    const object& _from;
    std::optional<std::string> _wrong;
};

bool is_id(std::string_view text) {
    return !text.empty() && text.size() <= longest_id && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    });
}

tl::expected<directory_object, std::string> read_one(const value& from, collection of) {
    if (!from.is_object()) {
        return wrong("an object", "is none");
    }
    const object& members = from.get_object();
    member_reader take(members);
    directory_object out;
    take.text("id", out.id);
    out.id = folded(out.id);
    if (!take.wrong() && !is_id(out.id)) {
        take.refuse("id", "of an object is none, so it can't be told from the others");
    }
    // Its reason is "changed" (it may be restored) or "deleted" (it may not): gone from the directory either way.
    out.removed = members.contains("@removed");
    take.text("mail", out.mail);
    take.texts("proxyAddresses", out.proxy_addresses);
    if (of == collection::users) {
        std::string type;
        take.text("userType", type);
        out.guest = same(type, "Guest");
        take.text("userPrincipalName", out.principal_name);
        take.text("givenName", out.first_name);
        take.text("surname", out.last_name);
        take.flag("accountEnabled", out.enabled);
        const boost::json::array* const licences = take.list("assignedLicenses", most_addresses);
        out.licensed = licences != nullptr && !licences->empty();
        // Every user has one, so that without it the others are not there because they did not change.
        out.whole = members.contains("userPrincipalName");
    } else {
        take.text("displayName", out.display_name);
        take.flag("mailEnabled", out.mail_enabled);
        out.whole = members.contains("mailEnabled");
    }
    if (take.wrong()) {
        return tl::unexpected(*take.wrong() + (out.id.empty() ? "" : " (object " + one_line(out.id) + ")"));
    }
    return out;
}

}  // namespace

std::string_view to_string(collection which) noexcept {
    return which == collection::users ? "users" : "groups";
}

std::string first_target(collection of) {
    return "/v1.0/" + std::string(to_string(of)) + "/delta?$select=" + std::string(members_of(of));
}

std::string object_target(collection of, std::string_view id) {
    return "/v1.0/" + std::string(to_string(of)) + "/" + std::string(id) + "?$select=" + std::string(members_of(of));
}

tl::expected<value, std::string> parse_object(std::string_view body) {
    if (body.size() > longest_answer) {
        return wrong("it", "is longer than " + std::to_string(longest_answer) + " octets");
    }
    boost::json::parse_options options;
    options.max_depth = deepest;
    boost::json::error_code failed;
    value out = boost::json::parse(body, failed, {}, options);
    if (failed || !out.is_object()) {
        return wrong("it", "is no JSON object" + (failed ? ": " + failed.message() : ""));
    }
    return out;
}

tl::expected<directory_object, std::string> parse_one(std::string_view body, collection of) {
    return parse_object(body).and_then([&](const value& parsed) { return read_one(parsed, of); });
}

tl::expected<delta_page, std::string> parse_page(std::string_view body, collection of) {
    const auto parsed = parse_object(body);
    if (!parsed) {
        return tl::unexpected(parsed.error());
    }
    delta_page out;
    member_reader take(parsed->get_object());
    take.text("@odata.nextLink", out.next_link, longest_link);
    take.text("@odata.deltaLink", out.delta_link, longest_link);
    const boost::json::array* const objects = take.list("value", most_objects);
    if (take.wrong()) {
        return tl::unexpected(*take.wrong());
    }
    if (objects == nullptr) {
        return wrong("it", "has no value");
    }
    if (out.next_link.empty() == out.delta_link.empty()) {
        return wrong("it", out.next_link.empty() ? "has neither @odata.nextLink nor @odata.deltaLink"
                                                 : "has both @odata.nextLink and @odata.deltaLink");
    }
    out.objects.reserve(objects->size());
    for (const value& each : *objects) {
        auto one = read_one(each, of);
        if (!one) {
            return tl::unexpected(std::move(one.error()));
        }
        out.objects.push_back(std::move(*one));
    }
    return out;
}

graph_error parse_error(std::string_view body) {
    graph_error out;
    const auto parsed = parse_object(body);
    const value* const error = parsed ? parsed->get_object().if_contains("error") : nullptr;
    if (error != nullptr && error->is_object()) {
        member_reader take(error->get_object());
        take.text("code", out.code);
        take.text("message", out.message, longest_link);
    }
    return out;
}

std::string token_error_text(std::string_view body) {
    std::string out;
    if (const auto parsed = parse_object(body)) {
        member_reader take(parsed->get_object());
        take.text("error", out);
        take.text("error_description", out, longest_link);
    }
    return out;
}

}  // namespace postern::sources::microsoft365
