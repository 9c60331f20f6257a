#include "control/directory/mail_servers.h"

#include <algorithm>
#include <span>

#include "control/directory/domains.h"
#include "control/directory/history.h"
#include "control/directory/mailroute.h"
#include "control/directory/routes.h"
#include "control/directory/rows.h"

namespace postern::directory {

namespace {

using hosts = std::vector<recipients::mail_host>;

constexpr int most_names = 1000;

bool is_shared(const reader& in, std::uint32_t route) {
    statement row = in.on().query("SELECT count(*) FROM domain WHERE route = ?", route);
    return row.step() && row.integer(0) > 1;
}

/// The domain's name, or it with a number behind, as the organisation has none yet.
result<std::string> free_name(const reader& in, const domain& of) {
    std::string name = of.name;
    for (int number = 2; number < most_names; ++number) {
        if (!in.on().query("SELECT 1 FROM route WHERE organisation = ? AND name = ?", of.organisation, name).step()) {
            return or_failure(in, std::move(name));
        }
        name = of.name + " (" + std::to_string(number) + ")";
    }
    return fail(error_kind::conflict, "there are too many inbound servers called " + of.name);
}

result<hosts> hosts_of(const reader& in, const domain& of) {
    if (of.route == 0) {
        return hosts();
    }
    auto found = find_route(in, of.route);
    if (!found) {
        return tl::unexpected(found.error());
    }
    return std::move(found->hosts);
}

result<void> confirm(writer& in, std::uint32_t route) {
    const auto confirmed = confirm_route(in, route, true);
    return confirmed ? result<void>() : tl::unexpected(confirmed.error());
}

result<void> lead_to(writer& in, const domain& of, std::uint32_t route) {
    domain_change change;
    change.route = route;
    const auto changed = change_domain(in, of.id, change);
    return changed ? result<void>() : tl::unexpected(changed.error());
}

/// Gives the domain these hosts, as the comment at the head of mail_servers.h says.
result<void> put(writer& in, const domain& of, hosts wanted) {
    if (of.route != 0 && !is_shared(in, of.route)) {
        if (wanted.empty()) {
            const auto left = lead_to(in, of, 0);
            return left ? remove_route(in, of.route) : left;
        }
        route_change change;
        change.hosts = std::move(wanted);
        const auto changed = change_route(in, of.route, change);
        return changed ? confirm(in, of.route) : tl::unexpected(changed.error());
    }
    if (wanted.empty()) {
        return lead_to(in, of, 0);
    }
    auto name = free_name(in, of);
    if (!name) {
        return tl::unexpected(name.error());
    }
    new_route input;
    input.name = std::move(*name);
    input.organisation = of.organisation;
    input.hosts = std::move(wanted);
    const auto made = add_route(in, input);
    if (!made) {
        return tl::unexpected(made.error());
    }
    if (auto confirmed = confirm(in, made->id); !confirmed) {
        return confirmed;
    }
    return lead_to(in, of, made->id);
}

bool is_at(const recipients::mail_host& host, const mail_server& one) {
    return host.host == one.host && host.port == one.port;
}

result<void> check_free(const hosts& present, std::string_view host, std::uint16_t port) {
    const bool taken = std::ranges::any_of(
        present, [&](const recipients::mail_host& each) { return each.host == host && each.port == port; });
    if (taken) {
        return fail(error_kind::conflict, std::string(host) + " is one of the domain's mail servers already", "hosts");
    }
    return {};
}

std::string sasl_json(const mail_server& of) {
    // The password is no part of history.
    return "{\"use_sasl\":" + std::string(of.use_sasl ? "true" : "false") +
           ",\"sasl_password\":" + (of.sealed_password.empty() ? "false" : "true") + "}";
}

}  // namespace

result<mail_server> find_mail_server(const reader& in, std::uint64_t id) {
    statement row = in.on().query(
        "SELECT s.id, s.domain, s.host, s.port, h.priority, s.use_sasl, s.sasl_login, s.sasl_password"
        " FROM mail_server s JOIN domain d ON d.id = s.domain JOIN route_host h ON h.route = d.route"
        " AND h.host = s.host AND h.port = s.port WHERE s.id = ?",
        id);
    if (!row.step()) {
        return nothing_found(in, "there is no mail server " + std::to_string(id));
    }
    mail_server out;
    out.id = row.as<std::uint64_t>(0);
    out.domain = row.as<std::uint32_t>(1);
    out.host = row.text(2);
    out.port = row.as<std::uint16_t>(3);
    out.priority = row.as<std::uint16_t>(4);
    out.use_sasl = row.integer(5) != 0;
    out.sasl_login = row.text(6);
    const auto sealed = std::as_bytes(std::span(row.text(7)));
    out.sealed_password.assign(sealed.begin(), sealed.end());
    return or_failure(in, std::move(out));
}

result<mail_server> add_mail_server(writer& in, const new_mail_server& input) {
    const auto of = find_domain(in, input.domain);
    if (!of) {
        return tl::unexpected(of.error());
    }
    auto present = hosts_of(in, *of);
    if (!present) {
        return tl::unexpected(present.error());
    }
    if (const auto free = check_free(*present, input.host, input.port); !free) {
        return tl::unexpected(free.error());
    }
    present->push_back({input.host, input.port, input.priority});
    if (const auto done = put(in, *of, std::move(*present)); !done) {
        return tl::unexpected(done.error());
    }
    std::uint64_t id = 0;
    {
        statement row = in.on().query("SELECT id FROM mail_server WHERE domain = ? AND host = ? AND port = ?",
                                      input.domain, input.host, input.port);
        id = row.step() ? row.as<std::uint64_t>(0) : 0;
    }
    return find_mail_server(in, id);
}

result<mail_server> change_mail_server(writer& in, std::uint64_t id, const mail_server_change& change) {
    auto found = find_mail_server(in, id);
    if (!found) {
        return found;
    }
    const auto of = find_domain(in, found->domain);
    auto present = of ? hosts_of(in, *of) : tl::unexpected(of.error());
    if (!present) {
        return tl::unexpected(present.error());
    }
    mail_server wanted = *found;
    wanted.host = change.host.value_or(wanted.host);
    wanted.priority = change.priority.value_or(wanted.priority);
    wanted.use_sasl = change.use_sasl.value_or(wanted.use_sasl);
    wanted.sasl_login = change.sasl_login.value_or(wanted.sasl_login);
    wanted.sealed_password = change.sealed_password.value_or(wanted.sealed_password);
    if (wanted.host != found->host) {
        if (const auto free = check_free(*present, wanted.host, wanted.port); !free) {
            return tl::unexpected(free.error());
        }
    }
    // The row first, under the new host: so it keeps its id when the hosts are written anew.
    in.on().run(
        "UPDATE mail_server SET host = ?, use_sasl = ?, sasl_login = ?, sasl_password = nullif(?, x''), updated = ?"
        " WHERE id = ?",
        wanted.host, wanted.use_sasl, wanted.sasl_login, std::span<const std::byte>(wanted.sealed_password), in.now(),
        id);
    if (wanted.host != found->host || wanted.priority != found->priority) {
        const auto host =
            std::ranges::find_if(*present, [&](const recipients::mail_host& each) { return is_at(each, *found); });
        host->host = wanted.host;
        host->priority = wanted.priority;
        if (const auto done = put(in, *of, std::move(*present)); !done) {
            return tl::unexpected(done.error());
        }
    }
    if (const std::string before = sasl_json(*found), after = sasl_json(wanted);
        before != after || wanted.sasl_login != found->sasl_login || change.sealed_password) {
        record(in, "changed", "mail_server:" + std::to_string(id), of->id, before, after);
    }
    return find_mail_server(in, id);
}

result<void> remove_mail_server(writer& in, std::uint64_t id) {
    const auto found = find_mail_server(in, id);
    if (!found) {
        return tl::unexpected(found.error());
    }
    const auto of = find_domain(in, found->domain);
    auto present = of ? hosts_of(in, *of) : tl::unexpected(of.error());
    if (!present) {
        return tl::unexpected(present.error());
    }
    std::erase_if(*present, [&](const recipients::mail_host& each) { return is_at(each, *found); });
    return put(in, *of, std::move(*present));
}

result<std::uint16_t> find_delivery_port(const reader& in, std::uint32_t domain) {
    const auto of = find_domain(in, domain);
    const auto present = of ? hosts_of(in, *of) : tl::unexpected(of.error());
    if (!present) {
        return tl::unexpected(present.error());
    }
    if (!present->empty()) {
        return present->front().port;
    }
    const auto kept = find_mailroute_domain(in, domain);
    return kept ? result<std::uint16_t>(kept->deliveryport) : tl::unexpected(kept.error());
}

result<void> set_delivery_port(writer& in, std::uint32_t domain, std::uint16_t port) {
    const auto of = find_domain(in, domain);
    auto present = of ? hosts_of(in, *of) : tl::unexpected(of.error());
    if (!present) {
        return tl::unexpected(present.error());
    }
    hosts wanted;
    for (recipients::mail_host each : *present) {
        each.port = port;
        if (const auto free = check_free(wanted, each.host, port); free) {
            wanted.push_back(std::move(each));
        }
    }
    if (wanted == *present) {
        return {};
    }
    in.on().run("UPDATE OR IGNORE mail_server SET port = ?, updated = ? WHERE domain = ?", port, in.now(), domain);
    return put(in, *of, std::move(wanted));
}

}  // namespace postern::directory
