// Pasted addresses: what would be added, what is known, what is wrong and where; then added, all in one transaction.
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <map>

#include "control/api/encode.h"
#include "control/api/handlers.h"
#include "control/api/lookups.h"
#include "control/api/scope.h"
#include "control/sources/paste.h"
#include "smtp/recipients/address.h"

namespace postern::api {
namespace {

using boost::json::array;
using boost::json::object;

enum class fate : std::uint8_t { fresh, known, duplicate, invalid };
constexpr std::array<std::string_view, 4> fate_words = {"new", "known", "duplicate", "invalid"};

struct options {
    std::uint32_t domain = 0;  ///< 0: any in the scope
    std::string domain_name;
    std::string group;
    recipients::mailbox_kind kind = recipients::mailbox_kind::user;
    bool apply = false;
    bool strict = false;
};

struct item {
    sources::pasted from;
    api::fate fate = fate::invalid;
    std::string address;  ///< whole
    std::string reason;
};

/// Whether the address is of the domain that was named, or of an alias of it.
directory::result<bool> is_of(const directory::reader& in, const recipients::normal_address& parsed,
                              std::uint32_t domain) {
    const auto found = directory::find_domain(in, parsed.domain());
    if (!found) {
        return tl::unexpected(found.error());
    }
    return (found->target != 0 ? found->target : found->id) == domain;
}

/// What becomes of one; an error is the store's.
directory::result<void> judge(const directory::reader& in, const directory::scope& within, const options& given,
                              std::map<std::string, std::uint32_t>& seen, item& one) {
    const auto invalid = [&](std::string reason) {
        one.fate = fate::invalid;
        one.reason = std::move(reason);
        return directory::result<void>();
    };
    if (!one.from.problem.empty()) {
        return invalid(one.from.problem);
    }
    one.address =
        one.from.text.find('@') == std::string::npos ? one.from.text + "@" + given.domain_name : one.from.text;
    recipients::normal_address parsed;
    if (const auto good = recipients::parse_address(one.address, {true, false}, parsed); !good) {
        return invalid("it is not an address: " + std::string(recipients::to_string(good.error())));
    }
    if (const auto inside = directory::check_address(in, within, one.address, "address"); !inside) {
        return inside.error().kind == directory::error_kind::invalid ? invalid(inside.error().text) : inside;
    }
    if (given.domain != 0) {
        const auto of = is_of(in, parsed, given.domain);
        if (!of) {
            return tl::unexpected(of.error());
        }
        if (!*of) {
            return invalid("it is not in " + given.domain_name);
        }
    }
    // Under a domain alias it is the same address.
    const std::string key = given.domain != 0 ? std::string(parsed.local()) : std::string(parsed.text());
    if (const auto [first, fresh] = seen.emplace(key, one.from.line); !fresh) {
        one.fate = fate::duplicate;
        one.reason = "it is in line " + std::to_string(first->second) + " already";
        return {};
    }
    const auto box = directory::find_mailbox(in, std::string_view(one.address));
    if (!box) {
        if (box.error().kind != directory::error_kind::not_found) {
            return tl::unexpected(box.error());
        }
        one.fate = fate::fresh;
        return {};
    }
    one.fate = fate::known;
    const auto inside = directory::has_mailbox(in, within, *box);
    if (!inside) {
        return tl::unexpected(inside.error());
    }
    if (!*inside) {
        one.reason = "it is in the list";
    } else if (std::string_view(box->normal).substr(0, box->normal.rfind('@')) != parsed.local()) {
        one.reason = "it is an alias of " + box->address;
    } else if (box->hold == directory::hold::blocked) {
        one.reason = "it is blocked: lift that first";
    } else {
        one.reason = "it is a mailbox in the list";
    }
    return {};
}

answer<options> read_options(const directory::reader& in, call& of) {
    options out;
    const auto domain = domain_parameter(in, of, "domain");
    out.group = of.parameters.text("group").value_or("");
    if (const auto kind = of.parameters.word("kind", {"user", "shared", "resource", "list", "unclassified"})) {
        out.kind = directory::parse_kind(*kind).value_or(recipients::mailbox_kind::user);
    }
    out.apply = of.parameters.flag("apply").value_or(false);
    out.strict = of.parameters.flag("strict").value_or(false);
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    if (!domain) {
        return failure(domain);
    }
    if (*domain != 0) {
        const auto found = directory::find_domain(in, *domain);
        if (!found) {
            return failure(found);
        }
        out.domain = found->id;
        out.domain_name = found->name;
    }
    const directory::scope& within = scope_of(of);
    if (within.reach == directory::reach::group) {
        out.group = out.group.empty() ? within.group_name : out.group;
        if (out.group != within.group_name) {
            return tl::unexpected(invalid("?group", "the token is for the group " + within.group_name));
        }
    }
    return out;
}

object represent(const item& of) {
    return {
        {"line", of.from.line},
        {"column", of.from.column},
        {"text", printable_utf8(of.from.text)},
        {"address", of.fate == fate::invalid ? boost::json::value(nullptr) : boost::json::value(of.address)},
        {"first_name", of.from.first_name},
        {"last_name", of.from.last_name},
        {"state", fate_words.at(static_cast<std::size_t>(of.fate))},
        {"reason", of.reason.empty() ? boost::json::value(nullptr) : boost::json::value(printable_utf8(of.reason))}};
}

directory::result<void> add(directory::writer& in, const options& given, item& one) {
    directory::new_mailbox input;
    input.address = one.address;
    input.first_name = one.from.first_name;
    input.last_name = one.from.last_name;
    input.group = given.group;
    input.kind = given.kind;
    const auto made = directory::add_mailbox(in, input);
    if (made || made.error().kind == directory::error_kind::failed) {
        return made ? directory::result<void>() : tl::unexpected(made.error());
    }
    one.fate = fate::invalid;
    one.reason = made.error().text;
    return {};
}

}  // namespace

answer<response> paste_mailboxes(service& /*with*/, directory::writer& in, call& of) {
    if (!of.asked.field("content-type").starts_with("text/plain")) {
        return tl::unexpected(unsupported_media_type("Send the addresses as text/plain; options go into the query."));
    }
    const auto given = read_options(in, of);
    if (!given) {
        return failure(given);
    }
    auto pasted = sources::read_paste(of.asked.body, given->domain != 0);
    if (!pasted) {
        return tl::unexpected(too_large(pasted.error() + "."));
    }
    std::vector<item> items;
    std::map<std::string, std::uint32_t> seen;
    std::array<std::uint64_t, fate_words.size()> counts{};
    for (sources::pasted& each : *pasted) {
        item& one = items.emplace_back();
        one.from = std::move(each);
        if (const auto judged = judge(in, scope_of(of), *given, seen, one); !judged) {
            return failure(judged);
        }
        ++counts.at(static_cast<std::size_t>(one.fate));
    }
    const auto count_of = [&](fate which) -> std::uint64_t& { return counts.at(static_cast<std::size_t>(which)); };
    const bool apply = given->apply && !(given->strict && count_of(fate::invalid) != 0);
    array shown;
    for (item& one : items) {
        if (apply && one.fate == fate::fresh) {
            if (const auto added = add(in, *given, one); !added) {
                return failure(added);
            }
            if (one.fate == fate::invalid && given->strict) {
                return tl::unexpected(invalid("line " + std::to_string(one.from.line), one.reason));
            }
            if (one.fate == fate::invalid) {
                --count_of(fate::fresh);
                ++count_of(fate::invalid);
            }
        }
        shown.push_back(represent(one));
    }
    return json(200, {{"applied", apply},
                      {"new", count_of(fate::fresh)},
                      {"known", count_of(fate::known)},
                      {"duplicates", count_of(fate::duplicate)},
                      {"invalid", count_of(fate::invalid)},
                      {"items", std::move(shown)}});
}

}  // namespace postern::api
