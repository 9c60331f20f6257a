#include "smtp/recipients/forms.h"

#include <algorithm>

#include "smtp/recipients/address_grammar.h"

namespace postern::recipients {
namespace {

/// What stands before the delimiter; empty if there is none or nothing before it.
std::string_view without_subaddress(std::string_view local, char delimiter) noexcept {
    if (delimiter == '\0' || local.empty()) {
        return {};
    }
    const std::size_t at = local.find(delimiter, 1);
    return at == std::string_view::npos ? std::string_view{} : local.substr(0, at);
}

/// What `prvs=tag=` stands before; empty if it is none. The tag is letters and digits.
std::string_view without_prvs(std::string_view local) noexcept {
    constexpr std::string_view start = "prvs=";
    if (!local.starts_with(start)) {
        return {};
    }
    const std::size_t end = local.find('=', start.size());
    if (end == std::string_view::npos || end == start.size()) {
        return {};
    }
    const std::string_view tag = local.substr(start.size(), end - start.size());
    if (!std::all_of(tag.begin(), tag.end(), [](char c) { return grammar::is(c, grammar::let_dig); })) {
        return {};
    }
    return local.substr(end + 1);
}

void add_form(local_forms& out, std::string_view local) noexcept {
    // What is left must be a local part of its own: `a.+x` leaves `a.`, which nothing is listed as.
    if (grammar::is_dot_string(local)) {
        out.locals[out.count++] = local;
    }
}

/// Takes off so many fields that are not empty, each with the `=` behind it.
bool take_fields(std::string_view& text, unsigned count) noexcept {
    for (; count > 0; --count) {
        const std::size_t end = text.find('=');
        if (end == std::string_view::npos || end == 0) {
            return false;
        }
        text.remove_prefix(end + 1);
    }
    return true;
}

}  // namespace

bool is_always(std::string_view local, const domain_settings& settings) noexcept {
    return local == "postmaster" || (settings.abuse_always && local == "abuse");
}

bool is_srs(std::string_view local) noexcept {
    constexpr std::size_t start = 5;
    if (local.size() <= start || !local.starts_with("srs") ||
        std::string_view("=+-").find(local[start - 1]) == std::string_view::npos) {
        return false;
    }
    const char kind = local[3];
    std::string_view rest = local.substr(start);
    if (kind == '0') {
        return take_fields(rest, 3) && !rest.empty();
    }
    // The hash and the first forwarder's domain; what follows is that forwarder's, with a separator of its own.
    return kind == '1' && take_fields(rest, 2) && rest.size() > 1;
}

void other_forms(std::string_view local, const domain_settings& settings, local_forms& out) noexcept {
    out.count = 0;
    if (local.starts_with('"')) {
        return;
    }
    add_form(out, without_subaddress(local, settings.subaddress_delimiter));
    if (settings.strip_prvs) {
        const std::string_view bare = without_prvs(local);
        add_form(out, bare);
        add_form(out, without_subaddress(bare, settings.subaddress_delimiter));
    }
}

}  // namespace postern::recipients
