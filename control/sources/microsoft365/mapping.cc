#include "control/sources/microsoft365/mapping.h"

#include "control/sources/addresses.h"

namespace postern::sources::microsoft365 {
namespace {

using recipients::mailbox_kind;

bool is_left_out(const tenant_settings& settings, const directory_object& from) {
    switch (settings.disabled) {
        case disabled_accounts::take:
            return false;
        case disabled_accounts::take_unlicensed:
            return !from.enabled && from.licensed;
        case disabled_accounts::leave_out:
            return !from.enabled;
    }
    return false;
}

mailbox_kind kind_of(const directory_object& from, collection of) {
    if (of == collection::groups) {
        return mailbox_kind::list;
    }
    // Graph does not tell what a mailbox is; shared ones and rooms are disabled accounts without a licence.
    return !from.enabled && !from.licensed ? mailbox_kind::shared : mailbox_kind::user;
}

}  // namespace

mapped map(const tenant_settings& settings, const directory_object& from, collection of) {
    mapped out;
    out.entry.identity = from.id;
    out.entry.name = of == collection::users ? from.principal_name : from.display_name;
    if (from.guest) {
        out.verdict = mapped::verdict::guest;
        return out;
    }
    if (of == collection::users ? is_left_out(settings, from) : !from.mail_enabled) {
        out.verdict = of == collection::users ? mapped::verdict::disabled : mapped::verdict::no_address;
        return out;
    }
    address_collector addresses;
    if (!from.mail.empty()) {
        addresses.take(from.mail);
    }
    for (const std::string& each : from.proxy_addresses) {
        addresses.take(each);
    }
    if (of == collection::users && settings.user_principal_names) {
        addresses.take(from.principal_name);
    }
    out.unreadable = addresses.unreadable();
    switch (addresses.finish(settings.exclude, out.entry)) {
        case address_collector::outcome::entry:
            break;
        case address_collector::outcome::none:
            out.verdict = mapped::verdict::no_address;
            break;
        case address_collector::outcome::excluded:
            out.verdict = mapped::verdict::excluded;
            break;
    }
    out.entry.first_name = from.first_name;
    out.entry.last_name = from.last_name;
    out.entry.kind = kind_of(from, of);
    return out;
}

}  // namespace postern::sources::microsoft365
