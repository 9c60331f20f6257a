#include "control/sources/export.h"

namespace postern::sources {
namespace {

constexpr std::size_t piece_octets = 65'536;

void append_field(std::string& to, std::string_view field) {
    if (field.find_first_of(",;\"\r\n\t") == std::string_view::npos &&
        (field.empty() || (field.front() != ' ' && field.back() != ' '))) {
        to += field;
        return;
    }
    to += '"';
    for (const char c : field) {
        if (c == '"') {
            to += '"';
        }
        to += c;
    }
    to += '"';
}

void append_mailbox(std::string& to, const directory::mailbox& box) {
    append_field(to, box.address);
    for (const std::string* field : {&box.first_name, &box.last_name, &box.group}) {
        to += ',';
        append_field(to, *field);
    }
    to += ',';
    to += directory::to_string(box.kind);
    to += ',';
    std::string aliases;
    for (const directory::alias& each : box.aliases) {
        if (each.valid) {
            aliases += (aliases.empty() ? "" : " ") + each.address;
        }
    }
    append_field(to, aliases);
    to += "\r\n";
}

bool is_listed(const directory::mailbox& box) {
    if (box.valid) {
        return true;
    }
    for (const directory::alias& each : box.aliases) {
        if (each.valid) {
            return true;
        }
    }
    return false;
}

}  // namespace

directory::result<std::uint64_t> export_csv(const directory::reader& in, const directory::mailbox_filter& filter,
                                            const text_sink& to) {
    std::string text = "email,first_name,last_name,group,kind,aliases\r\n";
    std::uint64_t rows = 0;
    directory::page_request at{"", 1000};
    do {
        const auto page = directory::list_mailboxes(in, filter, at);
        if (!page) {
            return tl::unexpected(page.error());
        }
        for (const directory::mailbox& box : page->items) {
            if (is_listed(box)) {
                append_mailbox(text, box);
                ++rows;
            }
        }
        if (text.size() >= piece_octets || page->next.empty()) {
            if (!to(text)) {
                return rows;
            }
            text.clear();
        }
        at.after = page->next;
    } while (!at.after.empty());
    return rows;
}

std::string_view sample_csv() noexcept {
    return "email,first_name,last_name,group,kind,aliases\r\n"
           "alice@example.com,Alice,Archer,Sales,user,a.archer@example.com sales@example.com\r\n"
           "bob@example.com,Bob,Baker,Sales,user,\r\n"
           "office@example.com,,,,shared,reception@example.com\r\n"
           "boardroom@example.com,,,,resource,\r\n"
           "everyone@example.com,,,,list,\r\n";
}

}  // namespace postern::sources
