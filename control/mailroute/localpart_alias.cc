// Aliases of e-mail accounts.
#include <array>

#include "control/directory/domains.h"
#include "control/directory/reassign.h"
#include "control/directory/renames.h"
#include "control/mailroute/accounts.h"
#include "control/mailroute/input.h"
#include "control/mailroute/same_form.h"

namespace postern::mailroute {
namespace {

constexpr auto fields = std::to_array<field>({
    {.name = "id",
     .type = field_type::integer,
     .sql = "a.id",
     .help = "Integer data. Ex: 12",
     .unique = true,
     .filter = filters::some},
    {.name = "localpart",
     .sql = "a.local",
     .help = "The alias's part before the @. Ex: \"sales\"",
     .access = access::written,
     .required = true,
     .filter = filters::all,
     .ordered = true,
     .longest = 320,
     .same_form = same_local_part,
     .same_sql = "a.normal"},
    {.name = "domain",
     .type = field_type::to_one,
     .sql = "a.domain",
     .help = "The domain that it is in: the account's, unless given when it is made. Ex: \"/api/v1/domain/12/\"",
     .access = access::written,
     .nullable = true,
     .filter = filters::with_relations,
     .leads_to = &domain},
    {.name = "email_account",
     .type = field_type::to_one,
     .sql = "a.mailbox",
     .help = "The account that it leads to. Ex: \"/api/v1/email_account/12/\"",
     .access = access::written,
     .required = true,
     .filter = filters::with_relations,
     .leads_to = &email_account},
    {.name = "type",
     .sql = "'alias'",
     .help = "Always \"alias\".",
     .access = access::written,
     .usually = std::string_view("alias")},
    {.name = "created_at",
     .type = field_type::datetime,
     .sql = "a.created",
     .help = "When it was added.",
     .ordered = true},
    {.name = "updated_at",
     .type = field_type::datetime,
     .sql = "a.updated",
     .help = "When it was changed last.",
     .ordered = true},
});

const field_names names = {{"address", "localpart"}, {"mailbox", "email_account"}};

result<void> check_type(const input& given) {
    if (given.text("type").value_or("alias") != "alias") {
        return refuse(localpart_alias, "type", "\"" + *given.text("type") + "\" is not a type here: \"alias\" is.");
    }
    return {};
}

std::string domain_of(std::string_view address) {
    return std::string(address.substr(address.rfind('@') + 1));
}

result<std::int64_t> add(change& in, const input& given) {
    if (const auto good = check_type(given); !good) {
        return tl::unexpected(good.error());
    }
    const auto account = see(in, localpart_alias, "email_account", given.id("email_account"));
    const auto elsewhere = see(in, localpart_alias, "domain", given.id("domain"));
    if (!account || !elsewhere) {
        return tl::unexpected(account ? elsewhere.error() : account.error());
    }
    const auto box = directory::find_mailbox(in.in, static_cast<std::uint64_t>(account->value_or(0)));
    if (!box) {
        return refuse(box.error());
    }
    std::string domain_name = domain_of(box->address);
    if (*elsewhere) {
        const auto found = directory::find_domain(in.in, static_cast<std::uint32_t>(**elsewhere));
        if (!found) {
            return refuse(found.error());
        }
        domain_name = found->name;
    }
    const std::string address = whole_address(given.text("localpart").value_or(""), domain_name);
    if (const auto seen = see_address(in, localpart_alias, address, "localpart"); !seen) {
        return tl::unexpected(seen.error());
    }
    const auto made = directory::add_alias(in.in, box->id, address);
    if (!made) {
        return refuse(localpart_alias, without_owner(in, made.error()), names);
    }
    if (const auto done = after_adding(in, made->domain); !done) {
        return tl::unexpected(done.error());
    }
    return static_cast<std::int64_t>(made->id);
}

result<void> edit(change& in, std::int64_t id, const input& given) {
    if (auto good = check_type(given); !good) {
        return good;
    }
    const auto present = directory::find_alias(in.in, static_cast<std::uint64_t>(id));
    if (!present) {
        return refuse(present.error());
    }
    if (const auto wanted = given.id("domain"); wanted && *wanted != present->domain) {
        return refuse(localpart_alias, "domain", present->address + " can't go to another domain: add it there.");
    }
    const auto account = see(in, localpart_alias, "email_account", given.id("email_account"));
    if (!account) {
        return tl::unexpected(account.error());
    }
    if (*account) {
        const auto moved = directory::reassign_alias(in.in, static_cast<std::uint64_t>(**account), present->id);
        if (!moved) {
            return refuse(localpart_alias, moved.error(), names);
        }
    }
    if (const auto local = given.text("localpart")) {
        const auto renamed = directory::rename_address(in.in, present->id, *local + '@' + domain_of(present->address));
        if (!renamed) {
            return refuse(localpart_alias, renamed.error(), names);
        }
    }
    return {};
}

result<void> remove(change& in, std::int64_t id) {
    const auto removed = directory::remove_alias(in.in, static_cast<std::uint64_t>(id));
    return removed ? result<void>() : refuse(removed.error());
}

}  // namespace

const resource localpart_alias{
    .name = "localpart_alias",
    .rows = "FROM address a JOIN domain d ON d.id = a.domain WHERE a.kind = 4 AND a.valid = 1",
    .id = "a.id",
    .usual_order = "a.domain, a.normal",
    .searched = "(a.local || '@' || d.name)",
    .whose = belongs_to::domain,
    .fields = fields,
    .changed_by = api::role::operator_,
    .changed_within = directory::reach::domains,
    .add = add,
    .edit = edit,
    .remove = remove};

}  // namespace postern::mailroute
