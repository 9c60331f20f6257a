#include "smtp/judge/evidence.h"

#include <algorithm>
#include <array>

#include "smtp/recipients/address.h"

namespace postern::judge {
namespace {

bool is_batv(std::string_view local) noexcept {
    constexpr std::array<std::string_view, 3> starts{"prvs=", "msprvs1=", "btv1=="};
    return std::any_of(starts.begin(), starts.end(), [&](std::string_view start) { return local.starts_with(start); });
}

bool is_rewritten(std::string_view local) noexcept {
    return local.size() > 5 && (local.starts_with("srs0") || local.starts_with("srs1")) &&
           std::string_view("=+-").find(local[4]) != std::string_view::npos;
}

/// What looks like a domain's name: letters, digits, hyphens, and a dot between.
bool is_domain_like(std::string_view text) noexcept {
    const std::size_t dot = text.find('.');
    return dot != std::string_view::npos && dot != 0 && text.back() != '.' &&
           std::all_of(text.begin(), text.end(),
                       [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; });
}

/// Another address within, with `=` in place of its `@`, behind a delimiter.
bool is_variable_return_path(std::string_view local) noexcept {
    const std::size_t at = local.rfind('=');
    if (at == std::string_view::npos) {
        return false;
    }
    const std::size_t delimiter = local.substr(0, at).find_first_of("+-", 1);
    return delimiter != std::string_view::npos && delimiter + 1 < at && is_domain_like(local.substr(at + 1));
}

bool is_special_address(std::string_view path, recipients::normal_address& room) {
    return !recipients::parse_address(path, {}, room) || is_special_form(room.local());
}

}  // namespace

bool is_special_form(std::string_view local) noexcept {
    return is_batv(local) || is_rewritten(local) || is_variable_return_path(local);
}

std::optional<absence> why_no_evidence(const circumstances& of) {
    if (of.sender.empty()) {
        return absence::null_sender;
    }
    if (of.refused != 0) {
        return absence::refused_recipient;
    }
    if (of.accepted != 1 && !of.refuses_unknown) {
        return absence::several_recipients;
    }
    recipients::normal_address room;
    if (is_special_address(of.sender, room) || is_special_address(of.recipient, room)) {
        return absence::special_form;
    }
    return std::nullopt;
}

}  // namespace postern::judge
