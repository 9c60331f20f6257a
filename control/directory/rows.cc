#include "control/directory/rows.h"

#include <unistr.h>

#include <algorithm>
#include <charconv>

#include "control/directory/changes.h"
#include "control/directory/history.h"
#include "smtp/recipients/address.h"

namespace postern::directory {

result<place> place_address(const reader& in, std::string_view address, std::string_view field) {
    recipients::normal_address parsed;
    recipients::address_options options;
    options.allow_bare_postmaster = false;
    if (const auto done = recipients::parse_address(address, options, parsed); !done) {
        return fail(error_kind::invalid,
                    "'" + std::string(address.substr(0, 320)) +
                        "' is not an address: " + std::string(recipients::to_string(done.error())),
                    std::string(field));
    }
    // A domain alias is valid for what its target has: the address is its target's.
    statement found = in.on().query(
        "SELECT t.id, t.organisation, t.name FROM domain d JOIN domain t ON t.id = coalesce(d.target, d.id) "
        "WHERE d.name = ?",
        parsed.domain());
    if (!found.step()) {
        if (in.on().failed()) {
            return tl::unexpected(in.on().failure());
        }
        return tl::unexpected(not_served(address, field));
    }
    place out;
    out.domain = found.as<std::uint32_t>(0);
    out.organisation = found.as<std::uint32_t>(1);
    out.domain_name = found.text(2);
    out.normal = parsed.local();
    // A source route has nothing to do with the mailbox: then the normal form stands for what was given.
    out.local = address.starts_with('@') ? out.normal : std::string(address.substr(0, address.rfind('@')));
    return out;
}

error not_served(std::string_view address, std::string_view field) {
    recipients::normal_address parsed;
    static_cast<void>(recipients::parse_address(address, {true, false}, parsed));
    return {error_kind::invalid,
            "the domain of '" + std::string(address) + "' is not served here; add " + std::string(parsed.domain()) +
                " first",
            std::string(field)};
}

std::int64_t address_at(const reader& in, const place& at) {
    statement found = in.on().query("SELECT id FROM address WHERE domain = ? AND normal = ?", at.domain, at.normal);
    return found.step() ? found.integer(0) : 0;
}

void settle(writer& in, std::int64_t address, bool payload_changed) {
    connection& on = in.on();
    std::int64_t mailbox = 0;
    {
        statement row = on.query(
            "SELECT a.valid, a.hold, a.mailbox, a.domain, a.normal || '@' || d.name,"
            " EXISTS (SELECT 1 FROM assertion s WHERE s.address = a.id),"
            " EXISTS (SELECT 1 FROM address o WHERE o.mailbox = a.id), a.grace_until "
            "FROM address a JOIN domain d ON d.id = a.domain WHERE a.id = ?",
            address);
        if (!row.step()) {
            return;
        }
        const bool was_valid = row.integer(0) != 0;
        const std::int64_t hold = row.integer(1);
        const bool asserted = row.integer(5) != 0;
        bool in_grace = row.integer(7) != 0;
        if (in_grace && (asserted || hold != 0)) {
            // Something stands behind it again, or a person has decided.
            on.run("UPDATE address SET grace_until = 0 WHERE id = ?", address);
            in_grace = false;
            payload_changed = true;
        }
        const bool is_valid = hold != 2 && (asserted || hold == 1 || in_grace);
        const auto domain = row.as<std::uint32_t>(3);
        if (was_valid != is_valid || (is_valid && payload_changed)) {
            note_address(in, domain, row.text(4), was_valid);
        }
        if (was_valid != is_valid) {
            on.run("UPDATE address SET valid = ? WHERE id = ?", is_valid, address);
        }
        if (asserted || hold != 0 || in_grace || row.integer(6) != 0) {
            return;
        }
        mailbox = row.integer(2);
    }
    on.run("DELETE FROM address WHERE id = ?", address);
    if (mailbox != 0) {
        settle(in, mailbox, false);
    }
}

std::string address_subject(const reader& in, std::int64_t address) {
    statement row = in.on().query(
        "SELECT 'address:' || a.normal || '@' || d.name FROM address a JOIN domain d ON d.id = a.domain WHERE a.id = ?",
        address);
    return row.step() ? std::string(row.text(0)) : std::string();
}

std::string address_json(const reader& in, std::int64_t address) {
    statement row = in.on().query(
        "SELECT json_object('id', a.id, 'address', a.local || '@' || d.name, 'kind', a.kind,"
        " 'mailbox', (SELECT m.normal || '@' || md.name FROM address m JOIN domain md ON md.id = m.domain"
        "             WHERE m.id = a.mailbox),"
        " 'first_name', a.first_name, 'last_name', a.last_name, 'group', g.name,"
        " 'internal_only', json(iif(a.internal_only, 'true', 'false')),"
        " 'hold', CASE a.hold WHEN 0 THEN 'none' WHEN 1 THEN 'pinned' ELSE 'blocked' END,"
        " 'valid', json(iif(a.valid, 'true', 'false'))) "
        "FROM address a JOIN domain d ON d.id = a.domain LEFT JOIN mailbox_group g ON g.id = a.grp WHERE a.id = ?",
        address);
    return row.step() ? std::string(row.text(0)) : std::string();
}

std::string domain_json(const reader& in, std::uint32_t id) {
    statement row = in.on().query(
        "SELECT json_object('id', d.id, 'name', d.name, 'organisation', d.organisation,"
        " 'target', (SELECT t.name FROM domain t WHERE t.id = d.target), 'route', d.route,"
        " 'mode', CASE d.mode WHEN 0 THEN 'observe' WHEN 1 THEN 'discover' WHEN 2 THEN 'defer' ELSE 'enforce' END,"
        " 'mode_since', d.mode_since, 'mode_until', d.mode_until,"
        " 'subaddress_delimiter', iif(d.subaddress = 0, '', char(d.subaddress)),"
        " 'grace_defers', json(iif(d.grace_defers, 'true', 'false')),"
        " 'abuse_always', json(iif(d.abuse_always, 'true', 'false')),"
        " 'strip_prvs', json(iif(d.strip_prvs, 'true', 'false')),"
        " 'accept_srs', json(iif(d.accept_srs, 'true', 'false')),"
        " 'on_hold', json(iif(d.on_hold, 'true', 'false')), 'trusted', d.trusted) "
        "FROM domain d WHERE d.id = ?",
        id);
    return row.step() ? std::string(row.text(0)) : std::string();
}

std::string route_json(const reader& in, std::uint32_t id) {
    statement row = in.on().query(
        "SELECT json_object('id', r.id, 'name', r.name, 'organisation', r.organisation,"
        " 'max_connections', r.max_connections, 'catch_all', json(iif(r.catch_all, 'true', 'false')),"
        " 'confirmed_by', r.confirmed_by, 'confirmed', r.confirmed,"
        " 'hosts', (SELECT json_group_array(json_object('host', h.host, 'port', h.port, 'priority', h.priority))"
        "           FROM route_host h WHERE h.route = r.id)) "
        "FROM route r WHERE r.id = ?",
        id);
    return row.step() ? std::string(row.text(0)) : std::string();
}

std::string like_part(std::string_view part, bool at_start) {
    std::string out = at_start ? "" : "%";
    for (const char c : part) {
        if (c == '%' || c == '_' || c == '\\') {
            out += '\\';
        }
        out += c;
    }
    return out + '%';
}

error no_mark(std::string_view mark) {
    return {error_kind::invalid,
            "'" + std::string(mark.substr(0, 64)) + "' is not a page's mark; take it from the last page's 'next'",
            "after"};
}

result<number_cursor> read_cursor(const page_request& at, std::int64_t start) {
    number_cursor out{start, std::clamp<std::uint32_t>(at.limit, 1, 1000)};
    if (!at.after.empty()) {
        const char* end = at.after.data() + at.after.size();
        const auto [stop, code] = std::from_chars(at.after.data(), end, out.after);
        if (code != std::errc() || stop != end || out.after < 0) {
            return tl::unexpected(no_mark(at.after));
        }
    }
    return out;
}

bool is_plain_text(std::string_view text, std::size_t limit) noexcept {
    if (text.size() > limit) {
        return false;
    }
    const auto* octets = reinterpret_cast<const std::uint8_t*>(text.data());
    if (u8_check(octets, text.size()) != nullptr) {
        return false;
    }
    return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

result<void> check_name(std::string_view name, std::string_view field) {
    if (name.empty() || !is_plain_text(name, 255)) {
        return fail(error_kind::invalid,
                    "a name has 1 to 255 octets of UTF-8 without control characters, not " +
                        std::to_string(name.size()) + (name.empty() ? "" : " such"),
                    std::string(field));
    }
    return {};
}

}  // namespace postern::directory
