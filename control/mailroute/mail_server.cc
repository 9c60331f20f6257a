// Mail servers: the hosts of a domain's inbound server, each with an id of its own.
#include <algorithm>
#include <array>

#include "control/directory/mail_servers.h"
#include "control/directory/mailroute.h"
#include "control/mailroute/change.h"
#include "control/mailroute/input.h"

namespace postern::mailroute {
namespace {

/// Stands for a password that is kept: sent back, it leaves the password as it is.
constexpr std::string_view mask = "********";

constexpr auto fields = std::to_array<field>({
    {.name = "id",
     .type = field_type::integer,
     .sql = "s.id",
     .help = "Integer data. Ex: 12",
     .unique = true,
     .filter = filters::some},
    {.name = "server",
     .sql = "s.host",
     .help = "Name or address of the host. Ex: \"mail.example.com\"",
     .access = access::written,
     .required = true,
     .filter = filters::all,
     .ordered = true},
    {.name = "domain",
     .type = field_type::to_one,
     .sql = "s.domain",
     .help = "The domain whose mail goes there. It can't be changed. Ex: \"/api/v1/domain/12/\"",
     .access = access::written,
     .required = true,
     .filter = filters::with_relations,
     .leads_to = &domain},
    {.name = "priority",
     .type = field_type::integer,
     .sql = "h.priority",
     .help = "Lower ones are tried first. Ex: 10",
     .access = access::written,
     .filter = filters::all,
     .ordered = true,
     .usually = std::int64_t{10},
     .most = 65535},
    {.name = "use_sasl",
     .type = field_type::boolean,
     .sql = "s.use_sasl",
     .help = "Whether to sign in there, over TLS alone. Kept; it has an effect once the relay speaks TLS.",
     .access = access::written,
     .filter = filters::some,
     .usually = false},
    {.name = "sasl_login",
     .sql = "nullif(s.sasl_login, '')",
     .help = "Name to sign in with.",
     .access = access::written,
     .nullable = true},
    {.name = "sasl_password",
     .sql = "iif(s.sasl_password IS NULL, NULL, '********')",
     .help = "Password to sign in with; asterisks stand for one that is kept, and sent back they leave it as it is.",
     .access = access::written,
     .nullable = true},
    {.name = "created_at",
     .type = field_type::datetime,
     .sql = "s.created",
     .help = "When it was added.",
     .ordered = true},
    {.name = "updated_at", .type = field_type::datetime, .sql = "s.updated", .help = "When it was changed last."},
});

const field_names names = {{"hosts", "server"}};

/// Names of hosts are the same in any case.
std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return text;
}

result<void> read_sign_in(const change& in, std::uint64_t id, const input& given, directory::mail_server_change& to) {
    to.use_sasl = given.flag("use_sasl");
    if (given.has("sasl_login")) {
        to.sasl_login = given.text("sasl_login").value_or("");
    }
    if (!given.has("sasl_password") || given.text("sasl_password") == mask) {
        return {};
    }
    to.sealed_password.emplace();
    if (const std::string password = given.text("sasl_password").value_or(""); !password.empty()) {
        auto sealed = in.with.secrets.seal(password, "mail_server:" + std::to_string(id) + ":sasl_password");
        if (!sealed) {
            return tl::unexpected(refusal(api::internal(sealed.error())));
        }
        to.sealed_password = std::move(*sealed);
    }
    return {};
}

result<void> put(change& in, std::uint64_t id, directory::mail_server_change wanted, const input& given) {
    if (auto read = read_sign_in(in, id, given, wanted); !read) {
        return read;
    }
    const auto changed = directory::change_mail_server(in.in, id, wanted);
    return changed ? result<void>() : refuse(mail_server, changed.error(), names);
}

result<std::int64_t> add(change& in, const input& given) {
    const auto of = see(in, mail_server, "domain", given.id("domain"));
    if (!of) {
        return tl::unexpected(of.error());
    }
    directory::new_mail_server wanted;
    wanted.domain = static_cast<std::uint32_t>(of->value_or(0));
    wanted.host = lower(given.text("server").value_or(""));
    wanted.priority = static_cast<std::uint16_t>(given.number("priority").value_or(wanted.priority));
    const auto port = directory::find_delivery_port(in.in, wanted.domain);
    if (!port) {
        return refuse(port.error());
    }
    wanted.port = *port;
    const auto made = directory::add_mail_server(in.in, wanted);
    if (!made) {
        return refuse(mail_server, made.error(), names);
    }
    if (const auto done = put(in, made->id, {}, given); !done) {
        return tl::unexpected(done.error());
    }
    return static_cast<std::int64_t>(made->id);
}

result<void> edit(change& in, std::int64_t id, const input& given) {
    const auto present = directory::find_mail_server(in.in, static_cast<std::uint64_t>(id));
    if (!present) {
        return refuse(present.error());
    }
    if (const auto of = given.id("domain"); of && *of != present->domain) {
        return refuse(mail_server, "domain", present->host + " can't go to another domain: add it there.");
    }
    directory::mail_server_change wanted;
    if (const auto host = given.text("server")) {
        wanted.host = lower(*host);
    }
    if (const auto priority = given.number("priority")) {
        wanted.priority = static_cast<std::uint16_t>(*priority);
    }
    return put(in, present->id, std::move(wanted), given);
}

result<void> remove(change& in, std::int64_t id) {
    const auto removed = directory::remove_mail_server(in.in, static_cast<std::uint64_t>(id));
    return removed ? result<void>() : refuse(removed.error());
}

}  // namespace

const resource mail_server{
    .name = "mail_server",
    .rows =
        "FROM mail_server s JOIN domain d ON d.id = s.domain JOIN route_host h ON h.route = d.route"
        " AND h.host = s.host AND h.port = s.port WHERE d.target IS NULL",
    .id = "s.id",
    .usual_order = "s.id",
    .searched = "s.host",
    .absolute_url = "/mail_server/",
    .whose = belongs_to::domain,
    .fields = fields,
    .changed_by = api::role::admin,
    .add = add,
    .edit = edit,
    .remove = remove};

}  // namespace postern::mailroute
