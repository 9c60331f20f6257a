// Customers: the organisations that domains belong to. A reseller that has domains of its own is its own customer, too.
#include <array>

#include "control/directory/organisations.h"
#include "control/mailroute/input.h"
#include "control/mailroute/organisations.h"

namespace postern::mailroute {
namespace {

constexpr auto fields = std::to_array<field>({
    {.name = "id",
     .type = field_type::integer,
     .sql = "o.id",
     .help = "Integer data. Ex: 12",
     .unique = true,
     .filter = filters::some},
    {.name = "name",
     .sql = "o.label",
     .help = "Name of the customer. Ex: \"Example Inc.\"",
     .access = access::written,
     .required = true,
     .unique = true,
     .filter = filters::all,
     .ordered = true},
    {.name = "reseller",
     .type = field_type::to_one,
     .sql = "iif(o.reseller, o.id, o.parent)",
     .help = "The reseller whose customer it is. Ex: \"/api/v1/reseller/12/\"",
     .access = access::written,
     .nullable = true,
     .filter = filters::with_relations,
     .leads_to = &reseller},
    {.name = "is_full_user_list",
     .type = field_type::boolean,
     .sql = "0",
     .help = "Always false: each domain says whether its list is complete."},
    {.name = "reported_user_count",
     .type = field_type::integer,
     .sql = "NULL",
     .help = "Always null: Postern counts by itself.",
     .nullable = true},
    {.name = "allow_branding",
     .type = field_type::boolean,
     .sql = "0",
     .help = "Always false: Postern has no branding."},
    {.name = "branding_info", .sql = "NULL", .help = "Always null: Postern has no branding.", .nullable = true},
    {.name = "created_at",
     .type = field_type::datetime,
     .sql = "o.created",
     .help = "When it was added.",
     .ordered = true},
    {.name = "updated_at",
     .type = field_type::datetime,
     .sql = organisation_updated,
     .help = "When it was changed last."},
});

result<std::int64_t> add(change& in, const input& given) {
    const auto parent = see(in, customer, "reseller", given.id("reseller"));
    if (!parent) {
        return tl::unexpected(parent.error());
    }
    const std::uint32_t own = in.within().organisation;
    const auto wanted = static_cast<std::uint32_t>(parent->value_or(own));
    return add_organisation(in, customer, given.text("name").value_or(""), wanted);
}

result<void> edit(change& in, std::int64_t id, const input& given) {
    const auto present = directory::find_organisation(in.in, static_cast<std::uint32_t>(id));
    if (!present) {
        return refuse(present.error());
    }
    if (given.has("reseller")) {
        const auto parent = see(in, customer, "reseller", given.id("reseller"));
        if (!parent) {
            return tl::unexpected(parent.error());
        }
        const auto wanted = static_cast<std::uint32_t>(parent->value_or(0));
        const std::uint32_t now = present->reseller ? present->id : present->parent;
        if (wanted != now) {
            if (!in.within().is_everything()) {
                return beyond_key("Whose customer an organisation is, the operator says.");
            }
            directory::organisation_change change;
            change.parent = wanted;
            if (const auto moved = directory::change_organisation(in.in, present->id, change); !moved) {
                return refuse(customer, moved.error(), {{"parent", "reseller"}, {"reseller", "reseller"}});
            }
        }
    }
    return rename_organisation(in, customer, id, given);
}

}  // namespace

const resource customer{
    .name = "customer",
    .rows =
        "FROM organisation o WHERE (o.reseller = 0 OR EXISTS (SELECT 1 FROM domain own WHERE own.organisation = o.id))",
    .id = "o.id",
    .usual_order = "o.id",
    .searched = "o.label",
    .absolute_url = "/customer/",
    .whose = belongs_to::organisation,
    .fields = fields,
    .changed_by = api::role::admin,
    .add = add,
    .edit = edit,
    .remove = remove_organisation};

}  // namespace postern::mailroute
