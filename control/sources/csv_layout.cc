#include "control/sources/csv_layout.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "control/directory/mailboxes.h"

namespace postern::sources {
namespace {

constexpr std::string_view blanks = " \t\r\n\xC2\xA0";

std::string_view trim(std::string_view text) {
    const std::size_t first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return out;
}

/// "First Name [Required]" -> "firstname": letters and digits in lower case, without what stands in brackets.
std::string header_key(std::string_view cell) {
    std::string key;
    int depth = 0;
    for (const char c : lower(cell)) {
        if (c == '[' || c == '(') {
            ++depth;
        } else if (c == ']' || c == ')') {
            depth = std::max(0, depth - 1);
        } else if (depth == 0 &&
                   ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80)) {
            key += c;
        }
    }
    return key;
}

struct known_header {
    std::string_view key;
    column_role role;
};

// The usual spellings, as other products export them.
constexpr std::array known_headers = std::to_array<known_header>({
    {"email", column_role::email},
    {"mail", column_role::email},
    {"emailaddress", column_role::email},
    {"emailaddresses", column_role::proxies},
    {"address", column_role::email},
    {"primary", column_role::email},
    {"primaryemail", column_role::email},
    {"primaryemailaddress", column_role::email},
    {"primarysmtpaddress", column_role::email},
    {"primaryaddress", column_role::email},
    {"windowsemailaddress", column_role::email},
    {"smtpaddress", column_role::email},
    {"mailbox", column_role::email},
    {"localpart", column_role::email},
    {"recipient", column_role::email},
    {"userprincipalname", column_role::email},
    {"proxyaddresses", column_role::proxies},
    {"firstname", column_role::first_name},
    {"first", column_role::first_name},
    {"givenname", column_role::first_name},
    {"forename", column_role::first_name},
    {"lastname", column_role::last_name},
    {"last", column_role::last_name},
    {"surname", column_role::last_name},
    {"familyname", column_role::last_name},
    {"sn", column_role::last_name},
    {"group", column_role::group},
    {"groups", column_role::group},
    {"department", column_role::group},
    {"kind", column_role::kind},
    {"type", column_role::kind},
    {"recipienttype", column_role::kind},
    {"recipienttypedetails", column_role::kind},
    {"aliases", column_role::aliases},
    {"emailaliases", column_role::aliases},
    {"additionalemailaddresses", column_role::aliases},
    {"secondaryemailaddresses", column_role::aliases},
    {"secondaryaddresses", column_role::aliases},
    {"othermailbox", column_role::aliases},
    {"alias", column_role::aliases},
    {"aliasaddress", column_role::alias_address},
    {"aliasemail", column_role::alias_address},
    {"useraddress", column_role::user_address},
    {"useremail", column_role::user_address},
    {"domain", column_role::domain},
});

column_role role_of_header(std::string_view key) {
    for (const known_header& known : known_headers) {
        if (known.key == key) {
            return known.role;
        }
    }
    // Alias1, Alias2, …
    const bool numbered = key.starts_with("alias") && key.size() > 5 &&
                          std::all_of(key.begin() + 5, key.end(), [](char c) { return c >= '0' && c <= '9'; });
    return numbered ? column_role::alias : column_role::ignored;
}

bool looks_like_address(std::string_view cell) {
    const std::size_t at = cell.find('@');
    return at != std::string_view::npos && at != 0 && at + 1 < cell.size();
}

bool is_header(const csv_row& row) {
    bool known = false;
    for (std::size_t i = 0; i < row.size; ++i) {
        if (looks_like_address(row.fields[i])) {
            return false;
        }
        switch (role_of_header(header_key(row.fields[i]))) {
            case column_role::email:
            case column_role::proxies:
            case column_role::alias_address:
                known = true;
                break;
            default:
                break;
        }
    }
    return known;
}

/// In how many of the rows the column has something, and something like an address.
struct column_shape {
    unsigned filled = 0;
    unsigned addresses = 0;
    bool mostly_addresses() const noexcept { return addresses * 2 > filled; }
};

std::vector<column_shape> shapes_of(std::span<const csv_row> rows) {
    std::vector<column_shape> shapes;
    for (const csv_row& row : rows) {
        shapes.resize(std::max(shapes.size(), row.size));
        for (std::size_t i = 0; i < row.size; ++i) {
            const std::string_view cell = trim(row.fields[i]);
            shapes[i].filled += cell.empty() ? 0U : 1U;
            shapes[i].addresses += looks_like_address(cell) ? 1U : 0U;
        }
    }
    return shapes;
}

/// Without a header: `First,Last,Primary,Mobile,Alias1,…` and what is like it.
tl::expected<csv_layout, std::string> layout_by_shape(std::span<const csv_row> rows) {
    const std::vector<column_shape> shapes = shapes_of(rows);
    csv_layout out;
    out.columns.assign(shapes.size(), column_role::ignored);
    if (shapes.size() == 1) {
        out.name = "addresses";
        out.columns[0] = column_role::email;
        return out;
    }
    std::size_t primary = 0;
    while (primary < shapes.size() && !shapes[primary].mostly_addresses()) {
        ++primary;
    }
    if (primary == shapes.size()) {
        return tl::unexpected(
            std::string("no column has e-mail addresses; name the columns in a header row, as in the sample file"));
    }
    out.columns[primary] = column_role::email;
    if (primary >= 2) {
        out.columns[0] = column_role::first_name;
        out.columns[1] = column_role::last_name;
    }
    for (std::size_t i = primary + 1; i < shapes.size(); ++i) {
        // The column behind the address is a telephone number in the layout that people use; it is an alias only if it
        // looks like one.
        const bool second = i == primary + 1;
        if (shapes[i].mostly_addresses() || (!second && shapes[i].filled == 0)) {
            out.columns[i] = column_role::aliases;
        }
    }
    out.name = primary >= 2 ? "names, address, aliases (without a header)" : "addresses and aliases (without a header)";
    return out;
}

std::string name_by_header(const csv_layout& layout, const std::vector<std::string>& keys) {
    const auto has_key = [&](std::string_view key) { return std::find(keys.begin(), keys.end(), key) != keys.end(); };
    if (layout.has(column_role::alias_address)) {
        return "alias list";
    }
    if (layout.has(column_role::proxies) || has_key("primarysmtpaddress")) {
        return "Exchange or Active Directory export";
    }
    if (has_key("email") && has_key("kind") && has_key("aliases") && has_key("group")) {
        return "Postern";
    }
    if (has_key("primaryemailaddress")) {
        return "primary and additional addresses";
    }
    if (layout.has_aliases()) {
        return "addresses with aliases";
    }
    if (layout.has(column_role::first_name) || layout.has(column_role::last_name)) {
        return "first and last name";
    }
    return "addresses";
}

tl::expected<csv_layout, std::string> layout_by_header(const csv_row& header, std::span<const csv_row> rest) {
    csv_layout out;
    out.header = true;
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < header.size; ++i) {
        keys.push_back(header_key(header.fields[i]));
        out.names.emplace_back(trim(header.fields[i]));
        out.columns.push_back(role_of_header(keys.back()));
    }
    const auto first = [&](std::string_view key) { return std::find(keys.begin(), keys.end(), key); };
    const bool exchange = first("primarysmtpaddress") != keys.end() || out.has(column_role::proxies);
    // Of several columns with the mailbox's address the most telling one counts; Exchange's Alias is a name, not an
    // address.
    constexpr std::array best_first =
        std::to_array<std::string_view>({"primarysmtpaddress", "primaryemailaddress", "primaryemail", "primaryaddress",
                                         "email", "emailaddress", "mail", "windowsemailaddress"});
    std::size_t chosen = out.columns.size();
    for (const std::string_view key : best_first) {
        if (chosen == out.columns.size() && first(key) != keys.end()) {
            chosen = static_cast<std::size_t>(first(key) - keys.begin());
        }
    }
    for (std::size_t i = 0; i < out.columns.size(); ++i) {
        if (out.columns[i] == column_role::email) {
            chosen = chosen == out.columns.size() ? i : chosen;
            out.columns[i] = i == chosen ? column_role::email : column_role::ignored;
        }
        if (exchange && keys[i] == "alias") {
            out.columns[i] = column_role::ignored;
        }
    }
    if (out.has(column_role::alias_address)) {
        if (!out.has(column_role::user_address)) {
            return tl::unexpected(
                std::string("the header has a column for the alias but none for the user address that it leads to"));
        }
        std::replace(out.columns.begin(), out.columns.end(), column_role::email, column_role::ignored);
    } else {
        std::replace(out.columns.begin(), out.columns.end(), column_role::user_address, column_role::ignored);
        if (!out.has(column_role::email) && !out.has(column_role::proxies)) {
            const std::vector<column_shape> shapes = shapes_of(rest);
            for (std::size_t i = 0; i < std::min(shapes.size(), out.columns.size()); ++i) {
                if (shapes[i].mostly_addresses()) {
                    out.columns[i] = column_role::email;
                    break;
                }
            }
        }
        if (!out.has(column_role::email) && !out.has(column_role::proxies)) {
            return tl::unexpected(std::string(
                "no column of the header is known to hold e-mail addresses; call it 'email', as in the sample file"));
        }
    }
    out.name = name_by_header(out, keys);
    return out;
}

std::optional<recipients::mailbox_kind> read_kind(std::string_view cell) {
    const std::string key = header_key(cell);
    if (auto kind = directory::parse_kind(key); kind && *kind != recipients::mailbox_kind::alias) {
        return kind;
    }
    // RecipientTypeDetails of an Exchange export.
    if (key == "sharedmailbox" || key == "remotesharedmailbox") {
        return recipients::mailbox_kind::shared;
    }
    if (key.find("roommailbox") != std::string::npos || key.find("equipmentmailbox") != std::string::npos ||
        key == "room") {
        return recipients::mailbox_kind::resource;
    }
    if (key.find("group") != std::string::npos || key.find("distribution") != std::string::npos) {
        return recipients::mailbox_kind::list;
    }
    if (key.find("mailbox") != std::string::npos || key == "mailuser" || key == "person") {
        return recipients::mailbox_kind::user;
    }
    return std::nullopt;
}

/// Without the dress that exports and people put around an address.
std::string bare_address(std::string_view cell) {
    std::string_view text = trim(cell);
    for (const std::string_view prefix : {"smtp:", "mailto:"}) {
        if (lower(text.substr(0, prefix.size())) == prefix) {
            text = trim(text.substr(prefix.size()));
        }
    }
    if (text.size() > 2 && text.front() == '<' && text.back() == '>') {
        text = text.substr(1, text.size() - 2);
    }
    return std::string(text);
}

template <class Each>
void split(std::string_view cell, std::string_view separators, const Each& each) {
    while (!cell.empty()) {
        const std::size_t end = std::min(cell.find_first_of(separators), cell.size());
        if (const std::string_view piece = trim(cell.substr(0, end)); !piece.empty()) {
            each(piece);
        }
        cell.remove_prefix(std::min(end + 1, cell.size()));
    }
}

void read_proxies(std::string_view cell, std::uint32_t column, csv_entry& out) {
    bool foreign = false;  // an X.400 address has `;` within: its pieces belong to it until the next prefix
    split(cell, ";,| ", [&](std::string_view piece) {
        const std::size_t colon = piece.find(':');
        const bool prefixed = colon != std::string_view::npos && colon < piece.find('@');
        if (prefixed) {
            foreign = lower(piece.substr(0, colon)) != "smtp";
        }
        if (foreign || (!prefixed && !looks_like_address(piece))) {
            return;
        }
        const std::string address = bare_address(piece);
        if (piece.starts_with("SMTP:") && out.address.text.empty()) {
            out.address = {address, column};
        } else {
            out.aliases.push_back({address, column});
        }
    });
}

}  // namespace

std::string_view to_string(column_role role) noexcept {
    switch (role) {
        case column_role::ignored:
            return "-";
        case column_role::email:
            return "email";
        case column_role::first_name:
            return "first_name";
        case column_role::last_name:
            return "last_name";
        case column_role::group:
            return "group";
        case column_role::kind:
            return "kind";
        case column_role::alias:
            return "alias";
        case column_role::aliases:
            return "aliases";
        case column_role::proxies:
            return "proxy addresses";
        case column_role::alias_address:
            return "alias address";
        case column_role::user_address:
            return "user address";
        case column_role::domain:
            return "domain";
    }
    return "-";
}

bool csv_layout::has(column_role role) const noexcept {
    return std::find(columns.begin(), columns.end(), role) != columns.end();
}

bool csv_layout::has_aliases() const noexcept {
    return has(column_role::alias) || has(column_role::aliases) || has(column_role::proxies);
}

std::string csv_layout::name_of(std::uint32_t column) const {
    return column >= 1 && column <= names.size() ? names[column - 1] : std::string();
}

tl::expected<csv_layout, std::string> guess_layout(std::span<const csv_row> first_rows, std::optional<bool> header) {
    const csv_row& first = first_rows.front();
    const auto rest = first_rows.subspan(1);
    bool has_header = header.value_or(is_header(first));
    if (!header && !has_header && first.size > 1 && !rest.empty()) {
        // Words of another language above addresses are a header too.
        const auto above = shapes_of(first_rows.subspan(0, 1));
        const auto below = shapes_of(rest);
        const auto mostly = [](const column_shape& shape) { return shape.addresses != 0 && shape.mostly_addresses(); };
        has_header =
            std::none_of(above.begin(), above.end(), mostly) && std::any_of(below.begin(), below.end(), mostly);
    }
    return has_header ? layout_by_header(first, rest) : layout_by_shape(first_rows);
}

csv_entry read_entry(const csv_row& row, const csv_layout& layout) {
    csv_entry out;
    out.problem.line = row.line;
    if (!row.problem.empty()) {
        out.problem.reason = row.problem;
        return out;
    }
    csv_address alias;
    std::string domain;
    for (std::size_t i = 0; i < std::min(row.size, layout.columns.size()); ++i) {
        const std::string_view cell = trim(row.fields[i]);
        const auto column = static_cast<std::uint32_t>(i + 1);
        if (cell.empty()) {
            continue;
        }
        switch (layout.columns[i]) {
            case column_role::ignored:
                break;
            case column_role::email:
            case column_role::user_address:
                out.address = {bare_address(cell), column};
                break;
            case column_role::first_name:
                out.first_name = cell;
                break;
            case column_role::last_name:
                out.last_name = cell;
                break;
            case column_role::group:
                out.group = trim(cell.substr(0, cell.find_first_of(";|")));
                break;
            case column_role::kind:
                out.kind = read_kind(cell);
                if (!out.kind) {
                    out.problem.column = column;
                    out.problem.value = cell;
                    out.problem.reason = "it is no kind of mailbox; write user, shared, resource, list or unclassified";
                }
                break;
            case column_role::alias:
                out.aliases.push_back({bare_address(cell), column});
                break;
            case column_role::aliases:
                split(cell, ";,| ", [&](std::string_view piece) {
                    out.aliases.push_back({bare_address(piece), column});
                });
                break;
            case column_role::proxies:
                read_proxies(cell, column, out);
                break;
            case column_role::alias_address:
                alias = {bare_address(cell), column};
                break;
            case column_role::domain:
                domain = cell;
                break;
        }
    }
    if (layout.has(column_role::alias_address)) {
        if (alias.text.empty()) {
            out.problem.reason = "the row has no alias address";
        } else {
            if (!domain.empty() && alias.text.find('@') == std::string::npos) {
                alias.text += "@" + domain;
            }
            out.aliases.push_back(std::move(alias));
        }
    }
    if (out.address.text.empty() && out.problem.reason.empty()) {
        out.problem.reason = "the row has no address of a mailbox";
    }
    return out;
}

}  // namespace postern::sources
