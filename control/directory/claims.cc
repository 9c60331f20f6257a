#include "control/directory/claims.h"

#include <openssl/rand.h>

#include <array>

#include "control/directory/history.h"
#include "control/directory/rows.h"
#include "control/directory/scope_sql.h"
#include "smtp/recipients/address.h"

namespace postern::directory {

namespace {

constexpr std::string_view columns =
    "SELECT c.id, c.organisation, c.name, coalesce(c.target, 0), c.challenge, c.created, c.created_by, c.checked,"
    " c.finding FROM domain_claim c";
constexpr std::size_t longest_name = 240;  // so that the record's name is one, too

domain_claim read(const statement& row) {
    domain_claim out;
    out.id = row.as<std::uint32_t>(0);
    out.organisation = row.as<std::uint32_t>(1);
    out.name = row.text(2);
    out.target = row.as<std::uint32_t>(3);
    out.challenge = row.text(4);
    out.created = row.integer(5);
    out.created_by = row.text(6);
    out.checked = row.integer(7);
    out.finding = row.text(8);
    return out;
}

std::string subject(const domain_claim& of) {
    return "claim:" + of.name;
}

std::string json(const reader& in, std::uint32_t id) {
    statement row = in.on().query(
        "SELECT json_object('id', id, 'organisation', organisation, 'name', name, 'target', target) FROM domain_claim "
        "WHERE id = ?",
        id);
    return row.step() ? std::string(row.text(0)) : std::string();
}

result<std::string> new_challenge() {
    std::array<unsigned char, 16> random{};
    if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) {
        return fail(error_kind::failed, "the system gives no random octets; no claim was made");
    }
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (const unsigned char octet : random) {
        out += digits[octet >> 4U];
        out += digits[octet & 15U];
    }
    return out;
}

}  // namespace

result<domain_claim> add_claim(writer& in, const new_claim& input) {
    recipients::normal_address parsed;
    if (const auto done = recipients::parse_domain(input.name, parsed); !done || parsed.is_literal()) {
        return fail(error_kind::invalid,
                    "'" + input.name.substr(0, 255) + "' is not a domain" +
                        (done ? "" : ": " + std::string(recipients::to_string(done.error()))),
                    "name");
    }
    const std::string name(parsed.domain());
    if (name.size() > longest_name) {
        return fail(error_kind::invalid, "the name is too long to be proven by a record under it", "name");
    }
    connection& on = in.on();
    if (!on.query("SELECT 1 FROM organisation WHERE id = ?", input.organisation).step()) {
        return fail(error_kind::invalid, "there is no organisation " + std::to_string(input.organisation),
                    "organisation");
    }
    if (on.query("SELECT 1 FROM domain WHERE name = ? AND organisation = ?", name, input.organisation).step()) {
        return fail(error_kind::conflict, "the domain " + name + " is there already", "name");
    }
    if (on.query("SELECT 1 FROM domain_claim WHERE name = ? AND organisation = ?", name, input.organisation).step()) {
        return fail(error_kind::conflict, "the domain " + name + " is claimed already: prove it, or remove the claim",
                    "name");
    }
    if (input.target != 0 && !on.query("SELECT 1 FROM domain WHERE id = ? AND organisation = ? AND target IS NULL",
                                       input.target, input.organisation)
                                  .step()) {
        return fail(error_kind::invalid, "there is no domain " + std::to_string(input.target) + " in the organisation",
                    "alias_of");
    }
    const auto challenge = new_challenge();
    if (!challenge) {
        return tl::unexpected(challenge.error());
    }
    on.run(
        "INSERT INTO domain_claim(organisation, name, target, challenge, created, created_by)"
        " VALUES (?, ?, nullif(?, 0), ?, ?, ?)",
        input.organisation, name, input.target, *challenge, in.now(), in.by().who);
    const auto id = static_cast<std::uint32_t>(on.last_id());
    record(in, "added", "claim:" + name, 0, "", json(in, id));
    return find_claim(in, id);
}

result<void> remove_claim(writer& in, std::uint32_t id) {
    const auto found = find_claim(in, id);
    if (!found) {
        return tl::unexpected(found.error());
    }
    const std::string before = json(in, id);
    in.on().run("DELETE FROM domain_claim WHERE id = ?", id);
    return record(in, "removed", subject(*found), 0, before, "");
}

result<domain_claim> record_check(writer& in, std::uint32_t id, std::string_view finding) {
    in.on().run("UPDATE domain_claim SET checked = ?, finding = ? WHERE id = ?", in.now(), finding, id);
    return find_claim(in, id);
}

result<domain> accept_claim(writer& in, std::uint32_t id, proof by) {
    const auto claim = find_claim(in, id);
    if (!claim) {
        return tl::unexpected(claim.error());
    }
    statement taken = in.on().query("SELECT organisation FROM domain WHERE name = ?", claim->name);
    if (taken.step()) {
        return fail(error_kind::conflict, "the domain " + claim->name +
                                              (taken.as<std::uint32_t>(0) == claim->organisation
                                                   ? " is there already; remove the claim"
                                                   : " is served here for another organisation already; ask the "
                                                     "operator to remove it there"));
    }
    auto made = claim->target != 0 ? add_domain_alias(in, claim->name, claim->target)
                                   : add_domain(in, {claim->name, claim->organisation});
    if (!made) {
        return made;
    }
    if (by == proof::dns) {
        in.on().run("UPDATE domain SET proven = ? WHERE id = ?", in.now(), made->id);
    }
    const std::string before = json(in, id);
    in.on().run("DELETE FROM domain_claim WHERE id = ?", id);
    record(in, by == proof::dns ? "proven" : "granted", "domain:" + claim->name, made->id, before,
           domain_json(in, made->id));
    return find_domain(in, made->id);
}

result<domain_claim> find_claim(const reader& in, std::uint32_t id) {
    statement row = in.on().query(std::string(columns) + " WHERE c.id = ?", id);
    if (!row.step()) {
        return nothing_found(in, "there is no claim " + std::to_string(id));
    }
    return read(row);
}

result<page<domain_claim>> list_claims(const reader& in, const claim_filter& filter, const page_request& at) {
    static const scope everything;
    const scope& within = filter.within == nullptr ? everything : *filter.within;
    const auto cursor = read_cursor(at);
    if (!cursor) {
        return tl::unexpected(cursor.error());
    }
    statement rows =
        in.on().query(std::string(columns) + " WHERE c.id > ?1 AND (?2 = 0 OR c.organisation = ?2) AND " +
                          organisation_condition(within, "c.organisation", "?3") + " ORDER BY c.id LIMIT ?4",
                      cursor->after, filter.organisation, scope_ids(within), cursor->limit + 1);
    page<domain_claim> out;
    while (rows.step()) {
        if (out.items.size() == cursor->limit) {
            out.next = std::to_string(out.items.back().id);
            break;
        }
        out.items.push_back(read(rows));
    }
    return or_failure(in, std::move(out));
}

}  // namespace postern::directory
