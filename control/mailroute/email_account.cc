// E-mail accounts: the mailboxes of the list. Their users do not sign in at Postern, so what is said of passwords is
// taken without effect.
#include <algorithm>
#include <array>

#include "control/directory/domains.h"
#include "control/directory/mailroute.h"
#include "control/directory/renames.h"
#include "control/mailroute/accounts.h"
#include "control/mailroute/input.h"
#include "control/mailroute/same_form.h"

namespace postern::mailroute {
namespace {

constexpr std::string_view no_sign_in = "Taken without effect: mail users do not sign in at Postern.";

constexpr auto fields = std::to_array<field>({
    {.name = "id",
     .type = field_type::integer,
     .sql = "a.id",
     .help = "Integer data. Ex: 12",
     .unique = true,
     .filter = filters::some},
    {.name = "localpart",
     .sql = "a.local",
     .help = "The address's part before the @. Ex: \"alice\"",
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
     .help = "The domain that it is in. It can't be changed. Ex: \"/api/v1/domain/12/\"",
     .access = access::written,
     .required = true,
     .filter = filters::with_relations,
     .ordered = true,
     .leads_to = &domain},
    {.name = "domain_name", .sql = "d.name", .help = "The domain's name. Ex: \"example.com\"", .filter = filters::all},
    {.name = "aliases",
     .type = field_type::joined,
     .sql =
         "coalesce((SELECT group_concat(l.local, ',') FROM (SELECT local FROM address WHERE mailbox = a.id AND domain ="
         " a.domain AND valid = 1 ORDER BY normal) l), '')",
     .help = "Its aliases in its own domain. A PUT leaves them as they are. Ex: \"a,b,c\"",
     .access = access::not_by_put},
    {.name = "create_opt", .sql = "NULL", .help = no_sign_in, .access = access::disregarded, .nullable = true},
    {.name = "password", .help = no_sign_in, .access = access::disregarded, .nullable = true},
    {.name = "confirm_password", .help = no_sign_in, .access = access::disregarded, .nullable = true},
    {.name = "change_pwd", .sql = "NULL", .help = no_sign_in, .access = access::disregarded, .nullable = true},
    {.name = "send_welcome",
     .type = field_type::boolean,
     .help = "Taken without effect: Postern writes no mail to users.",
     .access = access::disregarded,
     .nullable = true},
    {.name = "priority",
     .type = field_type::integer,
     .sql = "coalesce(x.priority, 7)",
     .help = "Kept, without effect. Ex: 7",
     .access = access::written,
     .filter = filters::all,
     .ordered = true,
     .usually = std::int64_t{7}},
    {.name = "policy", .sql = "NULL", .help = "Always null: Postern has no such policies.", .nullable = true},
    {.name = "contact", .sql = "NULL", .help = "Always null: Postern keeps no contacts.", .nullable = true},
    {.name = "notification_tasks",
     .type = field_type::list,
     .sql = "NULL",
     .help = "Always empty: Postern has no quarantine to write of."},
    {.name = "use_domain_notifications",
     .type = field_type::boolean,
     .sql = "coalesce(x.use_domain_notifications, 1)",
     .help = "Kept, without effect.",
     .access = access::written,
     .usually = true},
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

const field_names names = {{"address", "localpart"}, {"aliases", "aliases"}};

std::vector<std::string> whole_aliases(const input& given, const std::string& domain_name) {
    std::vector<std::string> out;
    for (const std::string& each : given.texts("aliases").value_or(std::vector<std::string>())) {
        out.push_back(whole_address(each, domain_name));
    }
    return out;
}

result<void> put_kept(change& in, std::uint64_t id, const input& given) {
    if (!given.has("priority") && !given.has("use_domain_notifications")) {
        return {};
    }
    const auto done =
        directory::put_mailroute_account(in.in, id, {given.number("priority"), given.flag("use_domain_notifications")});
    return done ? result<void>() : refuse(done.error());
}

/// The aliases in the account's own domain become these; others stay.
result<void> put_aliases(change& in, const directory::mailbox& present, std::vector<std::string> wanted) {
    for (const std::string& each : wanted) {
        if (auto seen = see_address(in, email_account, each, "aliases"); !seen) {
            return seen;
        }
    }
    for (const directory::alias& each : present.aliases) {
        if (each.domain != present.domain || !each.valid) {
            wanted.push_back(each.address);
        }
    }
    directory::mailbox_change change;
    change.aliases = std::move(wanted);
    const auto changed = directory::change_mailbox(in.in, present.id, change);
    return changed ? result<void>() : refuse(email_account, changed.error(), names);
}

result<std::int64_t> add(change& in, const input& given) {
    const auto seen = see(in, email_account, "domain", given.id("domain"));
    if (!seen) {
        return tl::unexpected(seen.error());
    }
    const auto of = directory::find_domain(in.in, static_cast<std::uint32_t>(seen->value_or(0)));
    if (!of) {
        return refuse(of.error());
    }
    const std::string local = given.text("localpart").value_or("");
    if (local.find('@') != std::string::npos) {
        return refuse(email_account, "localpart",
                      "\"" + local + "\" is not a local part: leave out the @ and the domain.");
    }
    const auto made = add_account(in, whole_address(local, of->name), whole_aliases(given, of->name), "localpart");
    if (!made) {
        return tl::unexpected(made.error());
    }
    if (const auto done = put_kept(in, made->id, given); !done) {
        return tl::unexpected(done.error());
    }
    if (const auto done = after_adding(in, of->id); !done) {
        return tl::unexpected(done.error());
    }
    return static_cast<std::int64_t>(made->id);
}

result<void> edit(change& in, std::int64_t id, const input& given) {
    const auto present = directory::find_mailbox(in.in, static_cast<std::uint64_t>(id));
    if (!present) {
        return refuse(present.error());
    }
    if (const auto wanted = given.id("domain"); wanted && *wanted != present->domain) {
        return refuse(email_account, "domain", present->address + " can't go to another domain: add it there.");
    }
    if (const auto local = given.text("localpart")) {
        const std::string domain_name = present->address.substr(present->address.rfind('@') + 1);
        const auto renamed = directory::rename_address(in.in, present->id, *local + '@' + domain_name);
        if (!renamed) {
            return refuse(email_account, renamed.error(), names);
        }
    }
    if (given.has("aliases")) {
        const auto now = directory::find_mailbox(in.in, present->id);
        if (!now) {
            return refuse(now.error());
        }
        const std::string domain_name = now->address.substr(now->address.rfind('@') + 1);
        if (auto done = put_aliases(in, *now, whole_aliases(given, domain_name)); !done) {
            return done;
        }
    }
    return put_kept(in, present->id, given);
}

result<void> remove(change& in, std::int64_t id) {
    const auto found = find_whole_account(in, id, "deleted");
    if (!found) {
        return tl::unexpected(found.error());
    }
    const auto removed = directory::remove_mailbox(in.in, found->id);
    return removed ? result<void>() : refuse(removed.error());
}

}  // namespace

// kind 4 is an alias; the condition is as the index of sorts has it.
const resource email_account{
    .name = "email_account",
    .rows =
        "FROM address a JOIN domain d ON d.id = a.domain LEFT JOIN mailroute_account x ON x.address = a.id"
        " WHERE a.kind <> 4 AND a.valid = 1",
    .id = "a.id",
    .usual_order = "a.domain, a.normal",
    .searched = "(a.local || '@' || d.name)",
    .absolute_url = "/user/",
    .whose = belongs_to::domain,
    .fields = fields,
    .changed_by = api::role::operator_,
    .changed_within = directory::reach::domains,
    .add = add,
    .edit = edit,
    .remove = remove};

}  // namespace postern::mailroute
