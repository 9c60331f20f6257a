// Domains. `hold_email` and `active: false` are Postern's hold (450 4.3.2); `userlist_complete`, or `bounce_unlisted`,
// is the mode: true enforce, false observe.
#include <array>

#include "control/directory/domains.h"
#include "control/directory/mail_servers.h"
#include "control/directory/mailroute.h"
#include "control/mailroute/change.h"
#include "control/mailroute/input.h"
#include "control/mailroute/same_form.h"

namespace postern::mailroute {
namespace {

// While the mode waits for the list's first address, it is as it was said to be.
constexpr std::string_view list_is_complete = "(d.mode = 3 OR coalesce(x.enforce_when_listed, 0))";

constexpr auto fields = std::to_array<field>({
    {.name = "id",
     .type = field_type::integer,
     .sql = "d.id",
     .help = "Integer data. Ex: 12",
     .unique = true,
     .filter = filters::some},
    {.name = "name",
     .sql = "d.name",
     .help = "The domain's name. It can't be changed: add the other domain, and delete this one. Ex: \"example.com\"",
     .access = access::written,
     .required = true,
     .unique = true,
     .filter = filters::all,
     .ordered = true,
     .same_form = same_domain,
     .same_sql = "d.name"},
    {.name = "customer",
     .type = field_type::to_one,
     .sql = "d.organisation",
     .help = "Whose it is. It can't be changed. Ex: \"/api/v1/customer/12/\"",
     .access = access::written,
     .required = true,
     .filter = filters::with_relations,
     .leads_to = &customer},
    {.name = "active",
     .type = field_type::boolean,
     .sql = "NOT (d.on_hold AND coalesce(x.inactive, 0))",
     .help = "False: every recipient in it gets 450 4.3.2, as with hold_email.",
     .access = access::written,
     .filter = filters::some,
     .ordered = true,
     .usually = true},
    {.name = "hold_email",
     .type = field_type::boolean,
     .sql = "(d.on_hold AND (coalesce(x.held, 0) OR NOT coalesce(x.inactive, 0)))",
     .help = "True: every recipient in it gets 450 4.3.2; senders try again.",
     .access = access::written,
     .filter = filters::some,
     .ordered = true,
     .usually = false},
    {.name = "deliveryport",
     .type = field_type::integer,
     .sql = "coalesce((SELECT h.port FROM route_host h WHERE h.route = d.route ORDER BY h.position LIMIT 1),"
            " x.deliveryport, 25)",
     .help = "Port of the domain's mail servers. Ex: 25",
     .access = access::written,
     .usually = std::int64_t{25},
     .least = 1,
     .most = 65535},
    {.name = "userlist_complete",
     .type = field_type::boolean,
     .sql = list_is_complete,
     .help = "True: mail is accepted only for mailboxes in the list (mode enforce); while the list has none, it waits "
             "for the first. False: mail for others is passed on, too (mode observe).",
     .access = access::written,
     .filter = filters::some,
     .usually = false},
    {.name = "bounce_unlisted",
     .type = field_type::boolean,
     .sql = list_is_complete,
     .help = "The same as userlist_complete.",
     .access = access::written,
     .filter = filters::some,
     .usually = false},
    {.name = "outbound_enabled",
     .type = field_type::boolean,
     .sql = "coalesce(x.outbound_enabled, 0)",
     .help = "Kept, without effect: Postern sends no mail out.",
     .access = access::written,
     .filter = filters::some,
     .usually = false},
    {.name = "policy", .sql = "NULL", .help = "Always null: Postern has no such policies.", .nullable = true},
    {.name = "created_at",
     .type = field_type::datetime,
     .sql = "d.created",
     .help = "When it was added.",
     .ordered = true},
    {.name = "updated_at",
     .type = field_type::datetime,
     .sql = "coalesce((SELECT t.at FROM history y JOIN act t ON t.id = y.act WHERE y.subject = 'domain:' || d.name"
            " ORDER BY y.id DESC LIMIT 1), d.created)",
     .help = "When it was changed last."},
});

const field_names names = {
    {"name", "name"}, {"organisation", "customer"}, {"mode", "userlist_complete"}, {"hosts", "deliveryport"}};

/// What `userlist_complete` and `bounce_unlisted` say; 400 if they differ.
result<std::optional<bool>> read_complete(const input& given) {
    const auto complete = given.flag("userlist_complete");
    const auto bounce = given.flag("bounce_unlisted");
    if (complete && bounce && *complete != *bounce) {
        return refuse(domain, "bounce_unlisted", "This is userlist_complete under another name: give both the same.");
    }
    return complete ? complete : bounce;
}

struct standing {
    directory::domain domain;
    directory::mailroute_domain kept;

    bool active() const { return !domain.settings.on_hold || !kept.inactive; }
    bool held() const { return domain.settings.on_hold && (kept.held || !kept.inactive); }
    bool complete() const { return domain.mode == recipients::mode::enforce || kept.enforce_when_listed; }
};

result<standing> find_standing(const change& in, std::uint32_t id) {
    const auto found = directory::find_domain(in.in, id);
    if (!found) {
        return refuse(found.error());
    }
    const auto kept = directory::find_mailroute_domain(in.in, id);
    if (!kept) {
        return refuse(kept.error());
    }
    return standing{*found, *kept};
}

result<void> put_hold(change& in, const standing& now, const input& given) {
    const bool active = given.flag("active").value_or(now.active());
    const bool held = given.flag("hold_email").value_or(now.held());
    if (active == now.active() && held == now.held()) {
        return {};
    }
    directory::domain_change wanted;
    wanted.on_hold = held || !active;
    if (const auto done = directory::change_domain(in.in, now.domain.id, wanted); !done) {
        return refuse(domain, done.error(), names);
    }
    directory::mailroute_domain kept = now.kept;
    kept.inactive = !active;
    kept.held = held;
    if (const auto done = directory::put_mailroute_domain(in.in, now.domain.id, kept); !done) {
        return refuse(done.error());
    }
    return {};
}

result<void> put_mode(change& in, const standing& now, bool complete) {
    if (complete == now.complete()) {
        return {};  // a client that sends back what it read does not end `discover` or `defer`
    }
    const std::uint32_t id = now.domain.id;
    auto kept = directory::find_mailroute_domain(in.in, id);
    if (!kept) {
        return refuse(kept.error());
    }
    kept->enforce_when_listed = complete;
    if (const auto done = directory::put_mailroute_domain(in.in, id, *kept); !done) {
        return refuse(done.error());
    }
    if (complete) {
        const auto set = directory::enforce_if_listed(in.in, id);
        return set ? result<void>() : refuse(domain, set.error(), names);
    }
    if (now.domain.mode == recipients::mode::enforce) {
        if (const auto set = directory::set_mode(in.in, id, recipients::mode::observe); !set) {
            return refuse(domain, set.error(), names);
        }
    }
    return {};
}

result<void> put_kept(change& in, std::uint32_t id, const input& given) {
    auto kept = directory::find_mailroute_domain(in.in, id);
    if (!kept) {
        return refuse(kept.error());
    }
    kept->outbound_enabled = given.flag("outbound_enabled").value_or(kept->outbound_enabled);
    if (const auto port = given.number("deliveryport")) {
        kept->deliveryport = static_cast<std::uint16_t>(*port);
        if (const auto done = directory::set_delivery_port(in.in, id, kept->deliveryport); !done) {
            return refuse(domain, done.error(), names);
        }
    }
    const auto done = directory::put_mailroute_domain(in.in, id, *kept);
    return done ? result<void>() : refuse(done.error());
}

/// All but name and customer.
result<void> put(change& in, std::uint32_t id, const input& given) {
    const auto complete = read_complete(given);
    if (!complete) {
        return tl::unexpected(complete.error());
    }
    const auto now = find_standing(in, id);
    if (!now) {
        return tl::unexpected(now.error());
    }
    if (auto done = put_hold(in, *now, given); !done) {
        return done;
    }
    if (*complete) {
        if (auto done = put_mode(in, *now, **complete); !done) {
            return done;
        }
    }
    if (given.has("outbound_enabled") || given.has("deliveryport")) {
        return put_kept(in, id, given);
    }
    return {};
}

result<std::int64_t> add(change& in, const input& given) {
    const auto owner = see(in, domain, "customer", given.id("customer"));
    if (!owner) {
        return tl::unexpected(owner.error());
    }
    if (!in.within().is_everything()) {
        return beyond_key(
            "A domain that nobody has proven is the operator's to add: claim it (posternctl domain claim "
            "add) and prove by DNS that it is yours.");
    }
    directory::new_domain wanted;
    wanted.name = given.text("name").value_or("");
    wanted.organisation = static_cast<std::uint32_t>(owner->value_or(0));
    const auto made = directory::add_domain(in.in, wanted);
    if (!made) {
        return refuse(domain, made.error(), names);
    }
    if (auto done = put(in, made->id, given); !done) {
        return tl::unexpected(done.error());
    }
    return made->id;
}

result<void> edit(change& in, std::int64_t id, const input& given) {
    const auto found = directory::find_domain(in.in, static_cast<std::uint32_t>(id));
    if (!found) {
        return refuse(found.error());
    }
    if (const auto name = given.text("name"); name && same_domain(*name) != found->name) {
        return refuse(domain, "name",
                      found->name + " can't be renamed: add " + *name + ", and delete it when its mail has moved.");
    }
    if (const auto owner = given.id("customer"); owner && *owner != found->organisation) {
        return refuse(domain, "customer",
                      found->name + " can't go to another customer: delete it, and add it for that one.");
    }
    return put(in, found->id, given);
}

result<void> remove(change& in, std::int64_t id) {
    if (in.within().reach < directory::reach::organisation) {
        return beyond_key("A domain is deleted with a key for its whole customer.");
    }
    const auto removed = directory::remove_domain(in.in, static_cast<std::uint32_t>(id), true);
    if (!removed) {
        return refuse(removed.error());
    }
    return {};
}

}  // namespace

const resource domain{.name = "domain",
                      .rows = "FROM domain d LEFT JOIN mailroute_domain x ON x.domain = d.id WHERE d.target IS NULL",
                      .id = "d.id",
                      .usual_order = "d.id",
                      .searched = "d.name",
                      .absolute_url = "/domain/",
                      .whose = belongs_to::domain,
                      .fields = fields,
                      .changed_by = api::role::admin,
                      .changed_within = directory::reach::domains,
                      .add = add,
                      .edit = edit,
                      .remove = remove};

}  // namespace postern::mailroute
