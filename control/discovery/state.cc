#include "control/discovery/state.h"

#include <array>

#include "control/directory/connection.h"
#include "control/directory/history.h"
#include "control/sources/text.h"

namespace postern::discovery {

namespace {

using directory::error_kind;
using directory::fail;
using directory::statement;
using recipients::mode;

constexpr std::size_t longest_secret = 1024;

std::string secret_place(std::uint32_t domain) {
    return "discovery:" + std::to_string(domain) + ":webhook_secret";
}

/// Without the secret, for history.
std::string json_of(const directory::reader& in, std::uint32_t domain) {
    statement row = in.on().query(
        "SELECT json_object('clean', clean, 'days', days, 'ends_in', iif(ends_in = 3, 'enforce', 'observe'), 'webhook',"
        " webhook, 'emails', emails, 'additions', json(iif(tell_additions, 'true', 'false')), 'changes',"
        " json(iif(tell_changes, 'true', 'false')), 'trouble', json(iif(tell_trouble, 'true', 'false')))"
        " FROM discovery WHERE domain = ?",
        domain);
    return row.step() ? std::string(row.text(0)) : std::string();
}

void read_row(const statement& row, domain_state& out) {
    settings& set = out.set;
    set.clean = row.as<std::uint32_t>(0);
    set.days = row.as<std::uint32_t>(1);
    set.ends_in = row.as<int>(2) == static_cast<int>(mode::enforce) ? mode::enforce : mode::observe;
    set.notify.webhook = row.text(3);
    out.has_webhook_secret = row.integer(4) != 0;
    set.notify.emails = sources::lines_of(row.text(5));
    set.notify.additions = row.integer(6) != 0;
    set.notify.changes = row.integer(7) != 0;
    set.notify.trouble = row.integer(8) != 0;
    out.probe.asked = row.integer(9);
    out.probe.due = row.integer(10);
    out.suspended = row.integer(16);
    // A finding is of the server that the domain had, and one of before `discover` says nothing of now.
    const bool same_server = out.server && row.text(12) == hosts_text(out.server->hosts);
    if (same_server && !row.is_null(13)) {
        out.probe.takes_any = row.integer(13) != 0;
        out.probe.found = row.integer(14);
    }
    if (!same_server || row.integer(11) != out.domain.mode_since) {
        out.probe.due = 0;
    }
    out.probe.said = row.text(15);
}

void judge(domain_state& of) {
    if (of.domain.mode != mode::discover) {
        of.now = standing::off;
        of.text = "the domain is in " + std::string(directory::to_string(of.domain.mode)) +
                  ": nothing is discovered. posternctl domain mode " + of.domain.name + " discover begins it";
    } else if (!of.server) {
        of.now = standing::waiting;
        of.text =
            "the domain has no confirmed inbound server: nothing is discovered until it has one and that was asked for "
            "a random recipient";
    } else if (of.probe.takes_any == true) {
        of.now = standing::suspended;
        of.text =
            "suspended: the mail server accepts any address (a random one was accepted), so what it accepts "
            "proves nothing. " +
            std::string(catch_all_remedy) +
            " Discovery goes on by itself once the server refuses a random address; it is asked daily, or now by "
            "posternctl discovery probe " +
            of.domain.name;
    } else if (of.probe.takes_any == false && of.probe.found >= of.domain.mode_since) {
        of.now = standing::running;
        of.text = "at work: an address is added after " + std::to_string(of.set.clean) + " good " +
                  (of.set.clean == 1 ? "message" : "messages within " + std::to_string(of.set.days) + " days") +
                  " that the mail server accepted";
    } else {
        of.now = standing::waiting;
        of.text = "evidence is kept and nothing is added yet: the mail server was not seen to refuse a random address" +
                  (of.probe.said.empty() ? std::string() : " (" + of.probe.said + ")") + "; it is asked again";
    }
}

result<void> check(const settings& set) {
    if (set.clean < 1 || set.clean > most_clean) {
        return fail(error_kind::invalid, "an address is added after 1 to 20 good messages", "clean_messages");
    }
    if (set.days < 1 || set.days > most_days) {
        return fail(error_kind::invalid, "the good messages come within 1 to 90 days", "days");
    }
    if (set.ends_in != mode::observe && set.ends_in != mode::enforce) {
        return fail(error_kind::invalid, "discover ends in observe or in enforce", "ends_in");
    }
    auto good = sync::check_notices(set.notify);
    if (!good) {
        directory::error cause = good.error();
        cause.field = "notify/" + cause.field;
        return tl::unexpected(std::move(cause));
    }
    return good;
}

}  // namespace

const char* const catch_all_remedy =
    "Let the mail server refuse unknown recipients at RCPT. Exchange: recipient filtering on "
    "(Set-RecipientFilterConfig -Enabled $true -RecipientValidationEnabled $true) and the directory as its measure "
    "(Set-AcceptedDomain DOMAIN -AddressBookEnabled $true). Exchange Online: the domain authoritative, so that its "
    "directory-based edge blocking refuses strangers (Set-AcceptedDomain DOMAIN -DomainType Authoritative). Postfix: "
    "local_recipient_maps or relay_recipient_maps set, no luser_relay, no @DOMAIN in virtual_alias_maps.";

std::string_view to_string(standing of) noexcept {
    constexpr std::array<std::string_view, 4> words = {"off", "waiting", "running", "suspended"};
    return words.at(static_cast<std::size_t>(of));
}

std::string source_name(const directory::domain& domain) {
    return "discovery:" + domain.name;
}

std::string hosts_text(const std::vector<recipients::mail_host>& hosts) {
    std::string out;
    for (const recipients::mail_host& each : hosts) {
        out += (out.empty() ? "" : " ") + each.host + ":" + std::to_string(each.port);
    }
    return out;
}

void need_row(directory::writer& in, std::uint32_t domain) {
    in.on().run("INSERT OR IGNORE INTO discovery(domain) VALUES (?)", domain);
}

result<domain_state> find_state(const directory::reader& in, const directory::domain& domain) {
    domain_state out;
    out.domain = domain;
    if (domain.route != 0) {
        auto route = directory::find_route(in, domain.route);
        if (!route) {
            return tl::unexpected(route.error());
        }
        if (route->confirmed != 0) {
            out.server = std::move(*route);
        }
    }
    {
        statement row = in.on().query(
            "SELECT clean, days, ends_in, webhook, webhook_secret IS NOT NULL, emails, tell_additions, tell_changes,"
            " tell_trouble, probed, probe_due, in_mode, server, takes_any, found, probe_said, suspended FROM discovery"
            " WHERE domain = ?",
            domain.id);
        if (row.step()) {
            read_row(row, out);
        }
    }
    judge(out);
    return directory::or_failure(in, std::move(out));
}

result<domain_state> find_state(const directory::reader& in, std::uint32_t domain) {
    const auto found = directory::find_domain(in, domain);
    if (!found) {
        return tl::unexpected(found.error());
    }
    return find_state(in, *found);
}

result<domain_state> change_settings(directory::writer& in, const directory::domain& domain, const settings& set,
                                     const std::optional<std::string>& webhook_secret, const sync::secret_box& box) {
    if (auto good = check(set); !good) {
        return tl::unexpected(good.error());
    }
    need_row(in, domain.id);
    const std::string before = json_of(in, domain.id);
    in.on().run(
        "UPDATE discovery SET clean = ?, days = ?, ends_in = ?, webhook = ?, emails = ?, tell_additions = ?,"
        " tell_changes = ?, tell_trouble = ?, review = 1 WHERE domain = ?",
        set.clean, set.days, static_cast<int>(set.ends_in), set.notify.webhook,
        sources::joined_lines(set.notify.emails), set.notify.additions, set.notify.changes, set.notify.trouble,
        domain.id);
    if (webhook_secret && webhook_secret->empty()) {
        in.on().run("UPDATE discovery SET webhook_secret = NULL WHERE domain = ?", domain.id);
    } else if (webhook_secret) {
        if (webhook_secret->size() > longest_secret) {
            return fail(error_kind::invalid, "a webhook's secret has at most 1024 octets", "webhook_secret");
        }
        const auto sealed = box.seal(*webhook_secret, secret_place(domain.id));
        if (!sealed) {
            return fail(error_kind::failed, sealed.error());
        }
        in.on().run("UPDATE discovery SET webhook_secret = ? WHERE domain = ?", std::span<const std::byte>(*sealed),
                    domain.id);
    }
    if (const std::string after = json_of(in, domain.id); after != before) {
        directory::record(in, "changed", "domain:" + domain.name, domain.id, before, after);
    }
    return find_state(in, domain);
}

result<std::string> webhook_secret(const directory::reader& in, std::uint32_t domain, const sync::secret_box& box) {
    std::string sealed;
    {
        statement row = in.on().query("SELECT webhook_secret FROM discovery WHERE domain = ?", domain);
        if (!row.step() || row.is_null(0)) {
            return directory::or_failure(in, std::string());
        }
        sealed = row.text(0);
    }
    auto opened = box.open_sealed(std::as_bytes(std::span(sealed)), secret_place(domain));
    if (!opened) {
        return fail(error_kind::failed, opened.error());
    }
    return *std::move(opened);
}

}  // namespace postern::discovery
