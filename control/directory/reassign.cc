#include "control/directory/reassign.h"

#include "control/directory/history.h"
#include "control/directory/rows.h"

namespace postern::directory {

namespace {

std::uint32_t organisation_of(const reader& in, std::uint32_t domain) {
    statement row = in.on().query("SELECT organisation FROM domain WHERE id = ?", domain);
    return row.step() ? row.as<std::uint32_t>(0) : 0;
}

/// The directory source that asserts the row; empty: none does.
std::string directory_of(const reader& in, std::uint64_t row) {
    statement synced = in.on().query(
        "SELECT s.name FROM assertion n JOIN sync_source y ON y.source = n.source JOIN source s ON s.id = y.source"
        " WHERE n.address = ? LIMIT 1",
        row);
    return synced.step() ? std::string(synced.text(0)) : std::string();
}

/// One row leads to `to` from now on.
void lead(writer& in, std::uint64_t row, std::uint64_t to, std::uint32_t domain) {
    const auto id = static_cast<std::int64_t>(row);
    const std::string subject = address_subject(in, id);
    const std::string before = address_json(in, id);
    in.on().run(
        "UPDATE address SET mailbox = ?, kind = ?, first_name = '', last_name = '', grp = NULL, internal_only = 0,"
        " updated = ? WHERE id = ?",
        to, static_cast<int>(recipients::mailbox_kind::alias), in.now(), row);
    settle(in, id, true);
    record(in, "reassigned", subject, domain, before, address_json(in, id));
}

}  // namespace

result<mailbox> reassign_mailboxes(writer& in, std::uint64_t to, std::span<const std::uint64_t> mailboxes) {
    auto target = find_mailbox(in, to);
    if (!target) {
        return target;
    }
    const std::uint32_t organisation = organisation_of(in, target->domain);
    for (const std::uint64_t id : mailboxes) {
        auto found = find_mailbox(in, id);
        if (!found) {
            return found;
        }
        if (found->id == to) {
            return fail(error_kind::invalid, found->address + " can't be an alias of itself", "mailboxes");
        }
        if (organisation_of(in, found->domain) != organisation) {
            return fail(error_kind::invalid, found->address + " is another organisation's", "mailboxes");
        }
        if (const std::string directory = directory_of(in, id); !directory.empty()) {
            return fail(error_kind::conflict,
                        found->address + " is a mailbox in the directory of " + directory + ": make it an alias there");
        }
        for (const alias& each : found->aliases) {
            lead(in, each.id, to, each.domain);
        }
        lead(in, id, to, found->domain);
    }
    in.on().run("UPDATE address SET updated = ? WHERE id = ?", in.now(), to);
    return find_mailbox(in, to);
}

result<alias> reassign_alias(writer& in, std::uint64_t to, std::uint64_t alias) {
    auto found = find_alias(in, alias);
    if (!found || found->mailbox == to) {
        return found;
    }
    const auto target = find_mailbox(in, to);
    if (!target) {
        return tl::unexpected(target.error());
    }
    if (organisation_of(in, found->domain) != organisation_of(in, target->domain)) {
        return fail(error_kind::invalid, found->address + " is another organisation's", "mailbox");
    }
    if (const std::string directory = directory_of(in, alias); !directory.empty()) {
        return fail(error_kind::conflict,
                    found->address + " is an alias in the directory of " + directory + ": change it there");
    }
    const std::uint64_t from = found->mailbox;
    lead(in, alias, to, found->domain);
    settle(in, static_cast<std::int64_t>(from), false);
    return find_alias(in, alias);
}

}  // namespace postern::directory
