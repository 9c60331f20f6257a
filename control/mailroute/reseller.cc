// Resellers: organisations that have customers. The operator's.
#include <array>

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
     .help = "Name of the reseller. Ex: \"Example Hosting\"",
     .access = access::written,
     .required = true,
     .unique = true,
     .filter = filters::all,
     .ordered = true},
    {.name = "allow_branding",
     .type = field_type::boolean,
     .sql = "0",
     .help = "Always false: Postern has no branding."},
    {.name = "allow_customer_branding",
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

constexpr std::string_view operators_alone = "Resellers are the operator's to make and to change.";

result<std::int64_t> add(change& in, const input& given) {
    if (!in.within().is_everything()) {
        return beyond_key(operators_alone);
    }
    return add_organisation(in, reseller, given.text("name").value_or(""), 0);
}

result<void> edit(change& in, std::int64_t id, const input& given) {
    return in.within().is_everything() ? rename_organisation(in, reseller, id, given) : beyond_key(operators_alone);
}

result<void> remove(change& in, std::int64_t id) {
    return in.within().is_everything() ? remove_organisation(in, id) : beyond_key(operators_alone);
}

}  // namespace

const resource reseller{.name = "reseller",
                        .rows = "FROM organisation o WHERE o.reseller = 1",
                        .id = "o.id",
                        .usual_order = "o.id",
                        .searched = "o.label",
                        .absolute_url = "/reseller/",
                        .whose = belongs_to::organisation,
                        .fields = fields,
                        .changed_by = api::role::admin,
                        .add = add,
                        .edit = edit,
                        .remove = remove};

}  // namespace postern::mailroute
