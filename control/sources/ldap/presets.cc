#include <algorithm>
#include <array>
#include <utility>

#include "control/sources/ldap/settings.h"

namespace postern::sources::ldap {
namespace {

// What people paste from Exchange's own list of recipients: those with a mail nickname, its system mailboxes not.
constexpr std::string_view exchange_filter =
    "(&(mailNickname=*)(|(objectClass=person)(objectClass=group)(objectClass=publicFolder)"
    "(objectClass=msExchDynamicDistributionList))(!(objectClass=contact))"
    "(!(name=DiscoverySearchMailbox*))(!(name=FederatedEmail*))(!(name=SystemMailbox*)))";

std::array<preset, 7> make() {
    std::array<preset, 7> out{};
    std::size_t at = 0;
    const auto add = [&](std::string_view name, std::string_view title) -> ldap_settings& {
        preset& made = out.at(at++);
        made.name = name;
        made.title = title;
        made.settings.preset = name;
        return made.settings;
    };

    ldap_settings& active_directory = add("active-directory", "Active Directory");
    active_directory.security = security::ldaps;
    active_directory.filter =
        "(&(|(mail=*)(proxyAddresses=*))(|(objectClass=user)(objectClass=group))"
        "(!(objectClass=computer)))";
    active_directory.alias_attributes = {"proxyAddresses", "otherMailbox"};

    ldap_settings& exchange = add("exchange", "Exchange");
    exchange.security = security::ldaps;
    exchange.filter = exchange_filter;

    ldap_settings& openldap = add("openldap", "OpenLDAP");
    openldap.filter = "(&(mail=*)(objectClass=person))";
    openldap.alias_attributes = {"mailAlternateAddress", "mailAlternativeAddress", "mailAlias"};
    openldap.list_value = "groupOf*";

    ldap_settings& freeipa = add("freeipa", "FreeIPA");
    freeipa.filter = "(&(mail=*)(|(objectClass=person)(objectClass=ipausergroup)))";
    freeipa.alias_attributes = {"mailAlternateAddress"};
    freeipa.list_value = "ipausergroup";

    ldap_settings& directory_server = add("389", "389 Directory Server");
    directory_server.filter =
        "(&(mail=*)(|(objectClass=person)(objectClass=mailGroup)(objectClass=groupOfUniqueNames)))";
    directory_server.alias_attributes = {"mailAlternateAddress"};
    directory_server.list_value = "*group*";

    ldap_settings& zimbra = add("zimbra", "Zimbra");
    zimbra.filter =
        "(&(|(objectClass=zimbraAccount)(objectClass=zimbraDistributionList))"
        "(!(zimbraIsSystemResource=TRUE)))";
    zimbra.mail_attribute = "zimbraMailDeliveryAddress";
    zimbra.alias_attributes = {"mail", "zimbraMailAlias"};
    zimbra.list_value = "zimbraDistributionList";

    ldap_settings& google = add("google", "Google Secure LDAP");
    google.servers = {{"ldap.google.com", 636}};
    google.security = security::ldaps;
    google.sign_in = sign_in::certificate;
    google.filter = "(&(mail=*)(|(objectClass=person)(objectClass=groupOfNames)))";
    google.alias_attributes = {};
    google.list_value = "groupOfNames";
    google.changes = change_method::none;
    return out;
}

}  // namespace

std::span<const preset> presets() {
    static const std::array<preset, 7> all = make();
    return all;
}

const preset* find_preset(std::string_view name) {
    const auto all = presets();
    const auto at = std::find_if(all.begin(), all.end(), [&](const preset& each) { return each.name == name; });
    return at == all.end() ? nullptr : &*at;
}

}  // namespace postern::sources::ldap
