// Domain aliases: other names of a domain. One that is not active is on hold by itself (450 4.3.2).
#include <array>

#include "control/directory/domains.h"
#include "control/mailroute/change.h"
#include "control/mailroute/input.h"
#include "control/mailroute/same_form.h"

namespace postern::mailroute {
namespace {

constexpr auto fields = std::to_array<field>({
    {.name = "id",
     .type = field_type::integer,
     .sql = "d.id",
     .help = "Integer data. Ex: 12",
     .unique = true,
     .filter = filters::some},
    {.name = "name",
     .sql = "d.name",
     .help = "The alias's name. Ex: \"example.net\"",
     .access = access::written,
     .required = true,
     .unique = true,
     .filter = filters::all,
     .ordered = true,
     .same_form = same_domain,
     .same_sql = "d.name"},
    {.name = "domain",
     .type = field_type::to_one,
     .sql = "d.target",
     .help = "The domain whose addresses it has. Ex: \"/api/v1/domain/12/\"",
     .access = access::written,
     .required = true,
     .filter = filters::with_relations,
     .leads_to = &domain},
    {.name = "active",
     .type = field_type::boolean,
     .sql = "NOT d.on_hold",
     .help = "False: every recipient in it gets 450 4.3.2; its domain goes on.",
     .access = access::written,
     .filter = filters::some,
     .ordered = true,
     .usually = true},
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

const field_names names = {{"name", "name"}, {"domain", "domain"}};

constexpr std::string_view unproven =
    "A name that nobody has proven is the operator's to add: claim it (posternctl domain claim add --alias-of) and "
    "prove by DNS that it is yours.";

result<void> put(change& in, std::uint32_t id, const directory::domain_alias_change& wanted) {
    const auto changed = directory::change_domain_alias(in.in, id, wanted);
    if (!changed) {
        return refuse(domain_alias, changed.error(), names);
    }
    return {};
}

result<std::int64_t> add(change& in, const input& given) {
    const auto target = see(in, domain_alias, "domain", given.id("domain"));
    if (!target) {
        return tl::unexpected(target.error());
    }
    if (!in.within().is_everything()) {
        return beyond_key(unproven);
    }
    const auto made = directory::add_domain_alias(in.in, given.text("name").value_or(""),
                                                  static_cast<std::uint32_t>(target->value_or(0)));
    if (!made) {
        return refuse(domain_alias, made.error(), names);
    }
    directory::domain_alias_change wanted;
    wanted.on_hold = !given.flag("active").value_or(true);
    if (const auto done = put(in, made->id, wanted); !done) {
        return tl::unexpected(done.error());
    }
    return made->id;
}

result<void> edit(change& in, std::int64_t id, const input& given) {
    const auto present = directory::find_domain(in.in, static_cast<std::uint32_t>(id));
    if (!present) {
        return refuse(present.error());
    }
    const auto target = see(in, domain_alias, "domain", given.id("domain"));
    if (!target) {
        return tl::unexpected(target.error());
    }
    directory::domain_alias_change wanted;
    if (const auto name = given.text("name"); name && same_domain(*name) != present->name) {
        if (!in.within().is_everything()) {
            return beyond_key(unproven);
        }
        wanted.name = *name;
    }
    if (*target) {
        wanted.target = static_cast<std::uint32_t>(**target);
    }
    if (const auto active = given.flag("active")) {
        wanted.on_hold = !*active;
    }
    return put(in, present->id, wanted);
}

result<void> remove(change& in, std::int64_t id) {
    const auto removed = directory::remove_domain(in.in, static_cast<std::uint32_t>(id), false);
    if (!removed) {
        return refuse(removed.error());
    }
    return {};
}

}  // namespace

const resource domain_alias{.name = "domain_alias",
                            .rows = "FROM domain d WHERE d.target IS NOT NULL",
                            .id = "d.id",
                            .usual_order = "d.id",
                            .searched = "d.name",
                            .whose = belongs_to::domain,
                            .fields = fields,
                            .changed_by = api::role::admin,
                            .add = add,
                            .edit = edit,
                            .remove = remove};

}  // namespace postern::mailroute
