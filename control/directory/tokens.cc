#include "control/directory/tokens.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "control/directory/connection.h"
#include "control/directory/history.h"
#include "control/directory/rows.h"
#include "control/encoding/base64.h"

namespace postern::directory {

namespace {

constexpr std::string_view prefix = "pst_";
constexpr std::size_t secret_octets = 32;
constexpr std::size_t secret_characters = 43;  // base64url of 32 octets, without padding
constexpr std::array<std::string_view, 3> role_words = {"viewer", "editor", "admin"};
constexpr std::string_view columns =
    "SELECT id, name, role, created, created_by, revoked, organisation, domains, grp FROM token";

using digest = std::array<std::byte, 32>;

bool hash_secret(std::string_view secret, digest& out) {
    unsigned size = 0;
    return EVP_Digest(secret.data(), secret.size(), reinterpret_cast<unsigned char*>(out.data()), &size, EVP_sha256(),
                      nullptr) == 1 &&
           size == out.size();
}

/// "[1,2]", as this file writes it.
std::vector<std::uint32_t> ids_of(std::string_view json) {
    std::vector<std::uint32_t> out;
    for (std::size_t at = 1; at + 1 < json.size();) {
        const std::size_t end = std::min(json.find_first_of(",]", at), json.size());
        std::uint32_t id = 0;
        std::from_chars(json.data() + at, json.data() + end, id);
        out.push_back(id);
        at = end + 1;
    }
    return out;
}

std::string ids_json(const std::vector<std::uint32_t>& ids) {
    std::string out = "[";
    for (const std::uint32_t id : ids) {
        out += (out.size() == 1 ? "" : ",") + std::to_string(id);
    }
    return out + "]";
}

token read(const statement& row) {
    token out;
    out.id = row.as<std::uint64_t>(0);
    out.name = row.text(1);
    out.role = static_cast<role>(row.integer(2));
    out.created = row.integer(3);
    out.created_by = row.text(4);
    out.revoked = row.integer(5);
    out.scope.organisation = row.as<std::uint32_t>(6);
    out.scope.domains = ids_of(row.text(7));
    out.scope.group = row.as<std::uint32_t>(8);
    return out;
}

std::string subject(std::uint64_t id) {
    return "token:" + std::to_string(id);
}

std::string json(const reader& in, std::uint64_t id) {
    statement row = in.on().query(
        "SELECT json_object('id', id, 'name', name, 'role', CASE role WHEN 0 THEN 'viewer' WHEN 1 THEN 'editor' ELSE"
        " 'admin' END, 'organisation', organisation, 'domains', json(domains), 'group', grp, 'revoked', revoked)"
        " FROM token WHERE id = ?",
        id);
    return row.step() ? std::string(row.text(0)) : std::string();
}

}  // namespace

result<issued_token> issue_token(writer& in, std::string_view name, role role, const scope_rule& scope) {
    if (auto good = check_name(name, "name"); !good) {
        return tl::unexpected(good.error());
    }
    const auto rule = check_scope(in, scope);
    if (!rule) {
        return tl::unexpected(rule.error());
    }
    if (in.on()
            .query("SELECT 1 FROM token WHERE organisation = ? AND name = ? AND revoked = 0", rule->organisation, name)
            .step()) {
        return fail(error_kind::conflict,
                    "a token '" + std::string(name) + "' is there already; revoke it or choose another name", "name");
    }
    std::array<unsigned char, secret_octets> octets{};
    issued_token out;
    digest hash{};
    if (RAND_bytes(octets.data(), static_cast<int>(octets.size())) != 1) {
        return fail(error_kind::failed, "the system gives no random octets; no token was made");
    }
    out.secret =
        std::string(prefix) + encoding::to_base64url({reinterpret_cast<const char*>(octets.data()), octets.size()});
    if (!hash_secret(out.secret, hash)) {
        return fail(error_kind::failed, "OpenSSL's SHA-256 is not available; no token was made");
    }
    in.on().run(
        "INSERT INTO token(name, role, hash, created, created_by, organisation, domains, grp)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        name, static_cast<int>(role), std::span<const std::byte>(hash), in.now(), in.by().who, rule->organisation,
        ids_json(rule->domains), rule->group);
    const auto id = static_cast<std::uint64_t>(in.on().last_id());
    record(in, "issued", subject(id), 0, "", json(in, id));
    auto made = find_token(in, id);
    if (!made) {
        return tl::unexpected(made.error());
    }
    out.token = std::move(*made);
    return out;
}

result<token> revoke_token(writer& in, std::uint64_t id) {
    auto found = find_token(in, id);
    if (!found || found->revoked != 0) {
        return found;
    }
    const std::string before = json(in, id);
    in.on().run("UPDATE token SET revoked = ? WHERE id = ?", in.now(), id);
    record(in, "revoked", subject(id), 0, before, json(in, id));
    return find_token(in, id);
}

result<token> authenticate(const reader& in, std::string_view secret) {
    digest hash{};
    if (secret.size() != prefix.size() + secret_characters || !secret.starts_with(prefix) ||
        !hash_secret(secret, hash)) {
        return fail(error_kind::not_found, "no such token");
    }
    // Found by the hash's index: its timing tells of the hash, which does not lead back to the secret.
    statement row =
        in.on().query(std::string(columns) + " WHERE hash = ? AND revoked = 0", std::span<const std::byte>(hash));
    if (!row.step()) {
        return nothing_found(in, "no such token");
    }
    return read(row);
}

result<token> find_token(const reader& in, std::uint64_t id) {
    statement row = in.on().query(std::string(columns) + " WHERE id = ?", id);
    if (!row.step()) {
        return nothing_found(in, "there is no token " + std::to_string(id));
    }
    return read(row);
}

result<page<token>> list_tokens(const reader& in, bool with_revoked, const page_request& at, const scope& within) {
    const auto cursor = read_cursor(at);
    if (!cursor) {
        return tl::unexpected(cursor.error());
    }
    statement rows = in.on().query(std::string(columns) + " WHERE id > ? AND (? OR revoked = 0) ORDER BY id",
                                   cursor->after, with_revoked);
    page<token> out;
    while (rows.step()) {
        token next = read(rows);
        const auto reached = resolve_scope(in, next.scope);
        if (!reached) {
            return tl::unexpected(reached.error());
        }
        if (!contains(within, *reached)) {
            continue;
        }
        if (out.items.size() == cursor->limit) {
            out.next = std::to_string(out.items.back().id);
            break;
        }
        out.items.push_back(std::move(next));
    }
    return or_failure(in, std::move(out));
}

result<bool> needs_first_token(const reader& in) {
    const bool found = in.on()
                           .query("SELECT 1 FROM token WHERE role = ? AND revoked = 0 AND organisation = 0 LIMIT 1",
                                  static_cast<int>(role::admin))
                           .step();
    return or_failure(in, !found);
}

std::string_view to_string(role role) noexcept {
    const auto at = static_cast<std::size_t>(role);
    return at < role_words.size() ? role_words[at] : "unknown";
}

std::optional<role> parse_role(std::string_view word) noexcept {
    for (std::size_t at = 0; at < role_words.size(); ++at) {
        if (role_words[at] == word) {
            return static_cast<role>(at);
        }
    }
    return std::nullopt;
}

}  // namespace postern::directory
