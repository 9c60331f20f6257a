#include "control/directory/mailroute.h"

#include "control/directory/domains.h"
#include "control/directory/history.h"
#include "control/directory/rows.h"

namespace postern::directory {

namespace {

std::string json(const reader& in, std::uint32_t domain) {
    statement row = in.on().query(
        "SELECT json_object('id', domain, 'deliveryport', deliveryport,"
        " 'outbound_enabled', json(iif(outbound_enabled, 'true', 'false')),"
        " 'inactive', json(iif(inactive, 'true', 'false')), 'held', json(iif(held, 'true', 'false')),"
        " 'enforce_when_listed', json(iif(enforce_when_listed, 'true', 'false')))"
        " FROM mailroute_domain WHERE domain = ?",
        domain);
    return row.step() ? std::string(row.text(0)) : std::string();
}

}  // namespace

result<mailroute_domain> find_mailroute_domain(const reader& in, std::uint32_t domain) {
    statement row = in.on().query(
        "SELECT deliveryport, outbound_enabled, inactive, held, enforce_when_listed FROM mailroute_domain"
        " WHERE domain = ?",
        domain);
    mailroute_domain out;
    if (row.step()) {
        out.deliveryport = row.as<std::uint16_t>(0);
        out.outbound_enabled = row.integer(1) != 0;
        out.inactive = row.integer(2) != 0;
        out.held = row.integer(3) != 0;
        out.enforce_when_listed = row.integer(4) != 0;
    }
    return or_failure(in, out);
}

result<void> put_mailroute_domain(writer& in, std::uint32_t domain, const mailroute_domain& wanted) {
    const auto found = find_domain(in, domain);
    if (!found) {
        return tl::unexpected(found.error());
    }
    const std::string before = json(in, domain);
    in.on().run(
        "INSERT INTO mailroute_domain(domain, deliveryport, outbound_enabled, inactive, held, enforce_when_listed)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET deliveryport = ?2, outbound_enabled = ?3,"
        " inactive = ?4, held = ?5, enforce_when_listed = ?6",
        domain, wanted.deliveryport, wanted.outbound_enabled, wanted.inactive, wanted.held, wanted.enforce_when_listed);
    if (const std::string after = json(in, domain); before != after) {
        return record(in, "changed", "domain:" + found->name, domain, before, after);
    }
    return or_failure(in);
}

result<bool> enforce_if_listed(writer& in, std::uint32_t domain) {
    const auto kept = find_mailroute_domain(in, domain);
    if (!kept || !kept->enforce_when_listed) {
        return kept ? result<bool>(false) : tl::unexpected(kept.error());
    }
    const auto counts = count_addresses(in, domain);
    if (!counts || counts->valid == 0) {
        return counts ? result<bool>(false) : tl::unexpected(counts.error());
    }
    const auto set = set_mode(in, domain, recipients::mode::enforce);
    return set ? result<bool>(true) : tl::unexpected(set.error());
}

result<void> put_mailroute_account(writer& in, std::uint64_t mailbox, const mailroute_account& wanted) {
    in.on().run("INSERT OR IGNORE INTO mailroute_account(address) VALUES (?)", mailbox);
    in.on().run(
        "UPDATE mailroute_account SET priority = coalesce(?, priority),"
        " use_domain_notifications = coalesce(?, use_domain_notifications) WHERE address = ?",
        wanted.priority, wanted.use_domain_notifications, mailbox);
    return or_failure(in);
}

}  // namespace postern::directory
