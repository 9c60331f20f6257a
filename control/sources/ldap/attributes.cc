#include "control/sources/ldap/attributes.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>

#include "control/sources/addresses.h"
#include "control/sources/glob.h"
#include "control/sources/text.h"

namespace postern::sources::ldap {
namespace {

using recipients::mailbox_kind;

constexpr std::size_t most_identity = 128;  ///< octets of an identity that is no UUID

// In this order: 389 has both of the next two, and tells its changes by nsUniqueId.
constexpr std::array<std::string_view, 6> identity_attributes = {"objectguid", "nsuniqueid",  "entryuuid",
                                                                 "zimbraid",   "ipauniqueid", "googleuid"};
constexpr std::array<std::string_view, 13> always_wanted = {"objectClass",
                                                            "objectGUID",
                                                            "nsUniqueId",
                                                            "entryUUID",
                                                            "zimbraId",
                                                            "googleUid",
                                                            "givenName",
                                                            "sn",
                                                            "userAccountControl",
                                                            "nsAccountLock",
                                                            "zimbraAccountStatus",
                                                            "msExchRecipientTypeDetails",
                                                            "msExchRequireAuthToSendTo"};

// msExchRecipientTypeDetails, a bit each.
struct recipient_type {
    std::int64_t value;
    mailbox_kind kind;
};
constexpr std::array<recipient_type, 17> recipient_types = {{{1, mailbox_kind::user},
                                                             {2, mailbox_kind::user},
                                                             {4, mailbox_kind::shared},
                                                             {8, mailbox_kind::user},
                                                             {16, mailbox_kind::resource},
                                                             {32, mailbox_kind::resource},
                                                             {64, mailbox_kind::unclassified},
                                                             {128, mailbox_kind::user},
                                                             {256, mailbox_kind::list},
                                                             {512, mailbox_kind::list},
                                                             {1024, mailbox_kind::list},
                                                             {2048, mailbox_kind::list},
                                                             {4096, mailbox_kind::shared},
                                                             {2147483648, mailbox_kind::user},
                                                             {8589934592, mailbox_kind::resource},
                                                             {17179869184, mailbox_kind::resource},
                                                             {34359738368, mailbox_kind::shared}}};
constexpr std::array<std::int64_t, 2> system_types = {8388608, 536870912};  // arbitration, discovery

bool is_word(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

template <class Number>
std::optional<Number> number(std::string_view text) {
    Number out = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out);
    return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && !text.empty() ? std::optional(out)
                                                                                                : std::nullopt;
}

constexpr std::string_view hex = "0123456789abcdef";

void append_hex(std::string& to, char octet) {
    const auto value = static_cast<unsigned char>(octet);
    to += hex[value >> 4U];
    to += hex[value & 15U];
}

/// Octets in the order of `order` as 8-4-4-4-12.
std::string with_hyphens(std::string_view octets, const std::array<std::size_t, 16>& order) {
    std::string out;
    for (std::size_t at = 0; at < order.size(); ++at) {
        if (at == 4 || at == 6 || at == 8 || at == 10) {
            out += '-';
        }
        append_hex(out, octets[order.at(at)]);
    }
    return out;
}

/// A UUID's text in its usual form, also from 389's four groups of eight; other text in lower case.
std::string identity_text(std::string_view value) {
    std::string digits;
    for (const char c : value) {
        if (c != '-') {
            digits += fold(c);
        }
    }
    if (digits.size() == 32 && digits.find_first_not_of(hex) == std::string::npos) {
        for (const std::size_t at : {20U, 16U, 12U, 8U}) {
            digits.insert(at, 1, '-');
        }
        return digits;
    }
    const bool plain = std::all_of(value.begin(), value.end(), [](char c) { return c > 0x20 && c < 0x7F; });
    return plain && value.size() <= most_identity ? folded(value) : "";
}

bool is_true(std::optional<std::string_view> value) {
    return value && same(*value, "TRUE");
}

}  // namespace

std::optional<attribute_description> parse_description(std::string_view text) {
    attribute_description out;
    const std::size_t end = text.find(';');
    out.name = folded(text.substr(0, end));
    while (text.find(';') != std::string_view::npos) {
        text.remove_prefix(text.find(';') + 1);
        const std::string_view option = text.substr(0, text.find(';'));
        if (!same(option.substr(0, 6), "range=")) {
            continue;
        }
        const std::string_view range = option.substr(6);
        const std::size_t hyphen = range.find('-');
        if (hyphen == std::string_view::npos || out.ranged) {
            return std::nullopt;
        }
        const auto first = number<std::uint64_t>(range.substr(0, hyphen));
        const auto last = number<std::uint64_t>(range.substr(hyphen + 1));
        if (!first || (!last && range.substr(hyphen + 1) != "*") || (last && *last < *first)) {
            return std::nullopt;
        }
        out.ranged = true;
        out.first = *first;
        out.last = last;
    }
    return out;
}

const attribute* object::find(std::string_view lower_name) const noexcept {
    const auto at = std::find_if(attributes.begin(), attributes.end(),
                                 [&](const attribute& each) { return each.name == lower_name; });
    return at == attributes.end() ? nullptr : &*at;
}

std::optional<std::string_view> object::first(std::string_view lower_name) const noexcept {
    const attribute* const found = find(lower_name);
    return found == nullptr || found->values.empty() ? std::nullopt : std::optional<std::string_view>(found->values[0]);
}

bool object::has_value(std::string_view lower_name, std::string_view value) const noexcept {
    const attribute* const found = find(lower_name);
    return found != nullptr && std::any_of(found->values.begin(), found->values.end(),
                                           [&](const std::string& each) { return same(each, value); });
}

bool object::add(const attribute_description& description, std::vector<std::string> values) {
    auto at = std::find_if(attributes.begin(), attributes.end(),
                           [&](const attribute& each) { return each.name == description.name; });
    if (at == attributes.end()) {
        at = attributes.insert(attributes.end(), attribute{description.name, {}, 0, std::nullopt});
    }
    if (description.ranged) {
        // The server may also name the attribute without a range, and without values.
        if (at->values.empty() && !at->more_from) {
            at->first = description.first;
        } else if (description.first != at->more_from) {
            return false;
        }
        at->more_from = description.last ? std::optional(*description.last + 1) : std::nullopt;
    }
    std::move(values.begin(), values.end(), std::back_inserter(at->values));
    return true;
}

std::string guid_text(std::string_view octets) {
    constexpr std::array<std::size_t, 16> order = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    return octets.size() == order.size() ? with_hyphens(octets, order) : "";
}

std::string uuid_text(std::string_view octets) {
    constexpr std::array<std::size_t, 16> order = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return octets.size() == order.size() ? with_hyphens(octets, order) : "";
}

std::string identity_of(const object& from) {
    for (const std::string_view name : identity_attributes) {
        if (const auto value = from.first(name)) {
            std::string text = name == "objectguid" ? guid_text(*value) : identity_text(*value);
            if (!text.empty()) {
                return text;
            }
        }
    }
    return "";
}

std::vector<std::string> filter_attributes(std::string_view filter) {
    std::vector<std::string> out;
    for (std::size_t at = filter.find('('); at != std::string_view::npos; at = filter.find('(', at + 1)) {
        const std::string_view rest = filter.substr(at + 1);
        const std::size_t end = rest.find_first_of("=<>~:;()&|!");
        if (end == 0 || end == std::string_view::npos) {
            continue;
        }
        std::string name = folded(trimmed(rest.substr(0, end)));
        if (!name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return is_word(c) || c == '.'; }) &&
            std::find(out.begin(), out.end(), name) == out.end()) {
            out.push_back(std::move(name));
        }
    }
    return out;
}

tl::expected<void, std::string> check_filter(std::string_view filter) {
    if (!filter.starts_with('(')) {
        return tl::unexpected("the filter \"" + std::string(filter) +
                              "\" does not begin with \"(\"; write it as in \"(mail=*)\"");
    }
    std::size_t depth = 0;
    for (std::size_t at = 0; at < filter.size(); ++at) {
        if (filter[at] == '(') {
            ++depth;
        } else if (filter[at] == ')') {
            --depth;
            if (depth == 0 && at + 1 != filter.size()) {
                return tl::unexpected("the filter's parentheses end before its text does, at character " +
                                      std::to_string(at + 1) + "; put all of it in one \"(&…)\" or \"(|…)\"");
            }
        }
    }
    if (depth != 0) {
        return tl::unexpected("the filter lacks " + std::to_string(depth) + " \")\" at its end");
    }
    if (filter_attributes(filter).empty()) {
        return tl::unexpected("the filter \"" + std::string(filter) +
                              "\" names no attribute; write it as in \"(mail=*)\"");
    }
    return {};
}

std::string filter_value(std::string_view octets) {
    std::string out;
    for (const char c : octets) {
        out += '\\';
        append_hex(out, c);
    }
    return out;
}

std::string comparable_dn(std::string_view dn) {
    std::string out;
    for (std::size_t at = 0; at < dn.size(); ++at) {
        const char c = dn[at];
        if (c == '\\' && at + 1 < dn.size()) {
            out += c;
            out += fold(dn[++at]);
            continue;
        }
        if (c == ' ' && (out.empty() || out.back() == ',' || out.back() == '=')) {
            continue;
        }
        if (c == ',' || c == '=') {
            while (!out.empty() && out.back() == ' ') {
                out.pop_back();
            }
        }
        out += fold(c);
    }
    return out;
}

bool is_within(std::string_view dn, std::string_view base) {
    const std::string below = comparable_dn(dn);
    const std::string above = comparable_dn(base);
    if (above.empty() || below == above) {
        return true;
    }
    if (below.size() <= above.size() || !below.ends_with(above)) {
        return false;
    }
    const std::string_view before(below.data(), below.size() - above.size());
    if (before.back() != ',') {
        return false;
    }
    // A comma behind an odd number of backslashes belongs to a value.
    std::size_t escapes = 0;
    while (escapes + 2 <= before.size() && before[before.size() - 2 - escapes] == '\\') {
        ++escapes;
    }
    return escapes % 2 == 0;
}

entry_mapper::entry_mapper(const ldap_settings& settings)
    : _mail(folded(settings.mail_attribute)),
      _list_attribute(folded(settings.list_attribute)),
      _list_value(settings.list_value),
      _exclude_disabled(settings.exclude_disabled) {
    _wanted.assign(always_wanted.begin(), always_wanted.end());
    const auto want = [&](const std::string& name) {
        if (!name.empty() &&
            std::none_of(_wanted.begin(), _wanted.end(), [&](const std::string& each) { return same(each, name); })) {
            _wanted.push_back(name);
        }
    };
    want(settings.mail_attribute);
    for (const std::string& each : settings.alias_attributes) {
        _aliases.push_back(folded(each));
        want(each);
    }
    want(settings.list_attribute);
    for (const std::string& each : settings.exclude) {
        if (each.find('=') != std::string::npos) {
            _exclude_dn.push_back(each);
        } else {
            _exclude.push_back(each);
        }
    }
}

bool entry_mapper::is_disabled(const object& from) const {
    const auto control = from.first("useraccountcontrol");
    const std::int64_t bits = control ? number<std::int64_t>(*control).value_or(0) : 0;
    return (bits & 2) != 0 || is_true(from.first("nsaccountlock")) || from.has_value("zimbraaccountstatus", "closed");
}

mailbox_kind entry_mapper::kind_of(const object& from) const {
    if (const auto details = from.first("msexchrecipienttypedetails")) {
        const auto value = number<std::int64_t>(*details);
        for (const recipient_type& each : recipient_types) {
            if (value == each.value) {
                return each.kind;
            }
        }
    }
    const attribute* const list = from.find(_list_attribute);
    if (!_list_value.empty() && list != nullptr &&
        std::any_of(list->values.begin(), list->values.end(),
                    [&](const std::string& each) { return glob_match(_list_value, each); })) {
        return mailbox_kind::list;
    }
    if (from.has_value("objectclass", "msExchDynamicDistributionList")) {
        return mailbox_kind::list;
    }
    if (from.has_value("objectclass", "publicFolder")) {
        return mailbox_kind::shared;
    }
    if (from.has_value("objectclass", "zimbraCalendarResource")) {
        return mailbox_kind::resource;
    }
    return mailbox_kind::user;
}

void entry_mapper::take_addresses(const object& from, mapped& to) const {
    address_collector found;
    const auto take = [&](const std::string& name) {
        if (const attribute* const values = from.find(name)) {
            for (const std::string& each : values->values) {
                found.take(each);
            }
        }
    };
    take(_mail);
    for (const std::string& each : _aliases) {
        take(each);
    }
    to.unreadable = found.unreadable();
    switch (found.finish(_exclude, to.entry)) {
        case address_collector::outcome::entry:
            break;
        case address_collector::outcome::none:
            to.verdict = mapped::verdict::no_address;
            break;
        case address_collector::outcome::excluded:
            to.verdict = mapped::verdict::excluded;
            break;
    }
}

mapped entry_mapper::map(const object& from) const {
    mapped out;
    out.entry.identity = identity_of(from);
    out.entry.name = from.dn;
    if (out.entry.identity.empty()) {
        out.verdict = mapped::verdict::no_identity;
        return out;
    }
    const auto details = from.first("msexchrecipienttypedetails");
    if (details && std::find(system_types.begin(), system_types.end(), number<std::int64_t>(*details).value_or(0)) !=
                       system_types.end()) {
        out.verdict = mapped::verdict::system;
        return out;
    }
    if (std::any_of(_exclude_dn.begin(), _exclude_dn.end(),
                    [&](const std::string& pattern) { return glob_match(pattern, from.dn); })) {
        out.verdict = mapped::verdict::excluded;
        return out;
    }
    // Shared and room mailboxes are disabled accounts: where Exchange says what an object is, that decides.
    if (_exclude_disabled && !details && is_disabled(from)) {
        out.verdict = mapped::verdict::disabled;
        return out;
    }
    take_addresses(from, out);
    out.entry.first_name = from.first("givenname").value_or("");
    out.entry.last_name = from.first("sn").value_or("");
    out.entry.kind = kind_of(from);
    out.entry.internal_only = is_true(from.first("msexchrequireauthtosendto"));
    return out;
}

}  // namespace postern::sources::ldap
