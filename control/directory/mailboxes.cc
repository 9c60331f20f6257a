#include "control/directory/mailboxes.h"

#include <algorithm>
#include <set>

#include "control/directory/assertions.h"
#include "control/directory/groups.h"
#include "control/directory/history.h"
#include "control/directory/rows.h"

namespace postern::directory {

namespace {

constexpr std::size_t name_limit = 255;

result<void> check_person(std::string_view first_name, std::string_view last_name, recipients::mailbox_kind kind) {
    for (const auto& [name, field] : {std::pair(first_name, "first_name"), std::pair(last_name, "last_name")}) {
        if (!is_plain_text(name, name_limit)) {
            return fail(error_kind::invalid, "a name has at most 255 octets of UTF-8 without control characters",
                        field);
        }
    }
    if (kind == recipients::mailbox_kind::alias) {
        return fail(error_kind::invalid, "an alias is not a kind of mailbox; add it to the mailbox it leads to",
                    "kind");
    }
    return {};
}

/// The group's id; made if the organisation has none of the name. 0 for no name.
result<std::uint32_t> need_group(writer& in, std::uint32_t organisation, std::uint32_t domain, std::string_view name) {
    if (name.empty()) {
        return 0;
    }
    {
        statement found =
            in.on().query("SELECT id, coalesce(domain, 0) FROM mailbox_group WHERE organisation = ? AND name = ?",
                          organisation, name);
        if (found.step()) {
            if (found.integer(1) != 0 && found.as<std::uint32_t>(1) != domain) {
                return fail(error_kind::invalid,
                            "the group '" + std::string(name) + "' is within another domain; choose another", "group");
            }
            return found.as<std::uint32_t>(0);
        }
    }
    auto made = add_group(in, organisation, name);
    if (!made) {
        error cause = made.error();
        cause.field = "group";
        return tl::unexpected(std::move(cause));
    }
    return made->id;
}

tl::unexpected<error> exists_already(const reader& in, const place& at, std::int64_t row, std::string_view field) {
    statement found = in.on().query(
        "SELECT a.hold, m.normal || '@' || d.name FROM address a LEFT JOIN address m ON m.id = a.mailbox"
        " LEFT JOIN domain d ON d.id = m.domain WHERE a.id = ?",
        row);
    found.step();
    std::string why = at.text() + " is in the list already";
    if (!found.is_null(1)) {
        why += ", as an alias of " + std::string(found.text(1));
    }
    if (found.integer(0) == 2) {
        why += ", and blocked: lift that first";
    }
    return fail(error_kind::conflict, std::move(why), std::string(field));
}

std::int64_t insert_row(writer& in, const place& at, std::int64_t mailbox, recipients::mailbox_kind kind) {
    in.on().run(
        "INSERT INTO address(domain, normal, local, mailbox, kind, created, updated)"
        " VALUES (?, ?, ?, nullif(?, 0), ?, ?, ?)",
        at.domain, at.normal, at.local, mailbox, static_cast<int>(kind), in.now(), in.now());
    return in.on().last_id();
}

void assert_new(writer& in, std::int64_t row, const place& at, std::uint32_t source = manual_source) {
    in.on().run("INSERT INTO assertion(address, source, since) VALUES (?, ?, ?)", row, source, in.now());
    settle(in, row, true);
    record(in, "added", "address:" + at.text(), at.domain, "", address_json(in, row), source);
}

result<std::int64_t> insert_alias(writer& in, std::int64_t mailbox, std::uint32_t organisation,
                                  std::string_view address, std::string_view field) {
    const auto at = place_address(in, address, field);
    if (!at) {
        return tl::unexpected(at.error());
    }
    if (at->organisation != organisation) {
        return fail(error_kind::invalid, at->domain_name + " is another organisation's domain", std::string(field));
    }
    if (const std::int64_t row = address_at(in, *at); row != 0) {
        return exists_already(in, *at, row, field);
    }
    const std::int64_t row = insert_row(in, *at, mailbox, recipients::mailbox_kind::alias);
    assert_new(in, row, *at);
    return or_failure(in, row);
}

/// Takes a row and every assertion of it away.
void drop_row(writer& in, std::int64_t row) {
    std::string text;
    std::uint32_t domain = 0;
    {
        statement found = in.on().query(
            "SELECT a.domain, a.normal || '@' || d.name FROM address a JOIN domain d ON d.id = a.domain WHERE a.id = ?",
            row);
        if (!found.step()) {
            return;
        }
        domain = found.as<std::uint32_t>(0);
        text = found.text(1);
    }
    const std::string before = address_json(in, row);
    in.on().run("DELETE FROM assertion WHERE address = ?", row);
    in.on().run("UPDATE address SET hold = 0, grace_until = 0 WHERE id = ?", row);
    settle(in, row, false);
    record(in, "removed", "address:" + text, domain, before, "");
}

std::string_view verb(hold from, hold to) {
    switch (to) {
        case hold::blocked:
            return "blocked";
        case hold::pinned:
            return "pinned";
        case hold::none:
            break;
    }
    return from == hold::none ? "changed" : "lifted";
}

struct owner {
    std::uint32_t domain = 0;
    std::uint32_t organisation = 0;
};
owner owner_of(const reader& in, std::uint64_t mailbox) {
    statement row = in.on().query(
        "SELECT d.id, d.organisation FROM address a JOIN domain d ON d.id = a.domain WHERE a.id = ?", mailbox);
    return row.step() ? owner{row.as<std::uint32_t>(0), row.as<std::uint32_t>(1)} : owner{};
}

result<void> replace_aliases(writer& in, const mailbox& found, const std::vector<std::string>& wanted) {
    std::set<std::string> keep;
    std::vector<std::string> add;
    for (const std::string& address : wanted) {
        const auto at = place_address(in, address, "aliases");
        if (!at) {
            return tl::unexpected(at.error());
        }
        const bool known =
            std::ranges::any_of(found.aliases, [&](const alias& has) { return has.normal == at->text(); });
        if (keep.insert(at->text()).second && !known) {
            add.push_back(address);
        }
    }
    // Gone first: an address may move between mailboxes in one change of each.
    for (const alias& has : found.aliases) {
        if (!keep.contains(has.normal)) {
            drop_row(in, static_cast<std::int64_t>(has.id));
        }
    }
    const std::uint32_t organisation = owner_of(in, found.id).organisation;
    for (const std::string& address : add) {
        if (auto added = insert_alias(in, static_cast<std::int64_t>(found.id), organisation, address, "aliases");
            !added) {
            return tl::unexpected(added.error());
        }
    }
    return or_failure(in);
}

}  // namespace

result<mailbox> add_mailbox(writer& in, const new_mailbox& input) {
    const auto at = place_address(in, input.address, "address");
    if (!at) {
        return tl::unexpected(at.error());
    }
    if (auto good = check_person(input.first_name, input.last_name, input.kind); !good) {
        return tl::unexpected(good.error());
    }
    if (const std::int64_t row = address_at(in, *at); row != 0) {
        return exists_already(in, *at, row, "address");
    }
    const auto group = need_group(in, at->organisation, at->domain, input.group);
    if (!group) {
        return tl::unexpected(group.error());
    }
    const std::int64_t row = insert_row(in, *at, 0, input.kind);
    in.on().run("UPDATE address SET first_name = ?, last_name = ?, grp = nullif(?, 0), internal_only = ? WHERE id = ?",
                input.first_name, input.last_name, *group, input.internal_only, row);
    assert_new(in, row, *at, input.source);
    for (const std::string& address : input.aliases) {
        if (auto added = insert_alias(in, row, at->organisation, address, "aliases"); !added) {
            return tl::unexpected(added.error());
        }
    }
    return find_mailbox(in, static_cast<std::uint64_t>(row));
}

result<mailbox> change_mailbox(writer& in, std::uint64_t id, const mailbox_change& change) {
    auto found = find_mailbox(in, id);
    if (!found) {
        return found;
    }
    const auto row = static_cast<std::int64_t>(id);
    const recipients::mailbox_kind kind = change.kind.value_or(found->kind);
    const std::string first_name = change.first_name.value_or(found->first_name);
    const std::string last_name = change.last_name.value_or(found->last_name);
    const bool internal_only = change.internal_only.value_or(found->internal_only);
    const hold held = change.hold.value_or(found->hold);
    if (auto good = check_person(first_name, last_name, kind); !good) {
        return tl::unexpected(good.error());
    }
    const owner owned = owner_of(in, id);
    const auto group = need_group(in, owned.organisation, owned.domain, change.group.value_or(found->group));
    if (!group) {
        return tl::unexpected(group.error());
    }
    const std::string before = address_json(in, row);
    const std::string subject = address_subject(in, row);
    in.on().run(
        "UPDATE address SET first_name = ?1, last_name = ?2, grp = nullif(?3, 0), kind = ?4, internal_only = ?5,"
        " hold = ?6 WHERE id = ?7",
        first_name, last_name, *group, static_cast<int>(kind), internal_only, static_cast<int>(held), id);
    if (change.aliases) {
        if (auto replaced = replace_aliases(in, *found, *change.aliases); !replaced) {
            return tl::unexpected(replaced.error());
        }
    }
    settle(in, row, kind != found->kind || internal_only != found->internal_only);
    const std::string after = address_json(in, row);
    if (before != after) {
        in.on().run("UPDATE address SET updated = ? WHERE id = ?", in.now(), id);
        record(in, held == found->hold ? "changed" : verb(found->hold, held), subject, owned.domain, before, after);
    }
    if (after.empty()) {
        // Nothing kept it but the block that was lifted: it is out of the list, and this is the last of it.
        found->hold = hold::none;
        found->valid = false;
        return or_failure(in, std::move(*found));
    }
    return find_mailbox(in, id);
}

result<void> remove_mailbox(writer& in, std::uint64_t id) {
    const auto found = find_mailbox(in, id);
    if (!found) {
        return tl::unexpected(found.error());
    }
    for (const alias& has : found->aliases) {
        drop_row(in, static_cast<std::int64_t>(has.id));
    }
    drop_row(in, static_cast<std::int64_t>(id));
    return or_failure(in);
}

result<alias> add_alias(writer& in, std::uint64_t mailbox, std::string_view address) {
    const auto found = find_mailbox(in, mailbox);
    if (!found) {
        return tl::unexpected(found.error());
    }
    const auto row =
        insert_alias(in, static_cast<std::int64_t>(mailbox), owner_of(in, mailbox).organisation, address, "address");
    if (!row) {
        return tl::unexpected(row.error());
    }
    return find_alias(in, static_cast<std::uint64_t>(*row));
}

result<alias> set_alias_hold(writer& in, std::uint64_t id, hold hold) {
    auto found = find_alias(in, id);
    if (!found || found->hold == hold) {
        return found;
    }
    const auto row = static_cast<std::int64_t>(id);
    const std::string before = address_json(in, row);
    const std::string subject = address_subject(in, row);
    in.on().run("UPDATE address SET hold = ?, updated = ? WHERE id = ?", static_cast<int>(hold), in.now(), id);
    settle(in, row, false);
    const std::string after = address_json(in, row);
    record(in, verb(found->hold, hold), subject, found->domain, before, after);
    if (after.empty()) {
        found->hold = hold;
        found->valid = false;
        return or_failure(in, std::move(*found));
    }
    return find_alias(in, id);
}

result<void> remove_alias(writer& in, std::uint64_t id) {
    if (auto found = find_alias(in, id); !found) {
        return tl::unexpected(found.error());
    }
    drop_row(in, static_cast<std::int64_t>(id));
    return or_failure(in);
}

result<mailbox> block_address(writer& in, std::string_view address) {
    const auto at = place_address(in, address, "address");
    if (!at) {
        return tl::unexpected(at.error());
    }
    std::int64_t row = address_at(in, *at);
    const std::string before = row == 0 ? std::string() : address_json(in, row);
    if (row == 0) {
        row = insert_row(in, *at, 0, recipients::mailbox_kind::unclassified);
    }
    in.on().run("UPDATE address SET hold = 2, updated = ? WHERE id = ?", in.now(), row);
    settle(in, row, false);
    const std::string after = address_json(in, row);
    if (before != after) {
        record(in, "blocked", "address:" + at->text(), at->domain, before, after);
    }
    return find_mailbox(in, address);
}

}  // namespace postern::directory
