#include "control/sources/ldap/words.h"

#include "control/sources/text.h"

#include <array>
#include <cstddef>

namespace postern::sources::ldap {
namespace {

struct meaning {
    int code;
    std::string_view words;
};
constexpr std::array<meaning, 19> meanings = {{
    {1,
     "the server could not do it; Active Directory says so to a search without a sign-in: set a name and a password"},
    {2, "the server did not understand the request"},
    {code::time_limit,
     "the server's time limit was reached; raise it for this account, or narrow the base or the filter"},
    {code::size_limit,
     "the server's size limit was reached, so the list is cut short; raise the limit for this account, or narrow the "
     "base or the filter"},
    {7, "the server does not take this way of signing in"},
    {code::stronger_auth_required,
     "the server takes no password over an open connection; set security to starttls or ldaps"},
    {code::referral, "another server holds this part of the tree; set that server, or a base that this one holds"},
    {code::admin_limit,
     "the server's administrative limit was reached, so the list is cut short; raise the limit for this account, or "
     "narrow the base or the filter"},
    {code::unavailable_critical_extension, "the server lacks what the search needs"},
    {code::confidentiality_required, "the server wants an encrypted connection; set security to starttls or ldaps"},
    {18, "the filter compares an attribute in a way that it can't be compared; correct the filter"},
    {code::no_such_object,
     "there is no such object, or the account may not see it; correct the base, or the account's rights"},
    {code::invalid_dn_syntax, "it is no DN of this server's; write it as \"DC=example,DC=com\""},
    {code::inappropriate_authentication,
     "the server does not take this account this way (without a password, or anonymously); set a name and a password"},
    {code::invalid_credentials,
     "the name or the password is wrong; set the name as a full DN, or user@domain for Active Directory, and its "
     "password"},
    {code::insufficient_access, "the account lacks the right to; give it the right to read, or use another"},
    {code::busy, "the server is busy; it will be tried again at the next sync"},
    {code::unavailable, "the server is shutting down or not ready; it will be tried again at the next sync"},
    {code::unwilling, "the server is unwilling; its own words say why"},
}};

/// Active Directory's reason for code 49, behind "data ".
struct account_state {
    std::string_view data;
    std::string_view words;
};
constexpr std::array<account_state, 8> account_states = {{
    {"data 525", "there is no such account; set the name as user@domain or as a full DN"},
    {"data 52e", "the password is wrong, or the name is; set them again"},
    {"data 530", "the account may not sign in at this time; change its logon hours"},
    {"data 531", "the account may not sign in from here; change its list of workstations"},
    {"data 532", "the account's password has expired; set a new one, and let it not expire"},
    {"data 533", "the account is disabled; enable it"},
    {"data 701", "the account has expired; extend it"},
    {"data 775", "the account is locked; unlock it, and see who locked it"},
}};
constexpr std::string_view must_change = "data 773";

}  // namespace

std::string refusal_words(std::string_view what, int result, std::string_view text) {
    std::string_view words = "the server refused";
    for (const meaning& each : meanings) {
        if (each.code == result) {
            words = each.words;
        }
    }
    if (result == code::invalid_credentials) {
        for (const account_state& each : account_states) {
            if (text.find(each.data) != std::string_view::npos) {
                words = each.words;
            }
        }
        if (text.find(must_change) != std::string_view::npos) {
            words = "the account must change its password first; set one that it need not change";
        }
    }
    const std::string line = one_line(text);
    // The remedy stands last, so that the sentence ends with what to do.
    const std::size_t remedy = words.find("; ");
    std::string out = "cannot ";
    out += what;
    out += ": ";
    out += words.substr(0, remedy);
    out += " (LDAP " + std::to_string(result) + (line.empty() ? "" : ": " + line) + ")";
    out += remedy == std::string_view::npos ? std::string_view() : words.substr(remedy);
    return out;
}

}  // namespace postern::sources::ldap
