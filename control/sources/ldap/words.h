// What an LDAP server's refusal means, in words with what to do. RFC 4511 4.1.9 and appendix A.2; Active Directory's
// own codes are in the text beside ("data 52e").
#pragma once

#include <string>
#include <string_view>

namespace postern::sources::ldap {

/// Result codes that decisions are made by (RFC 4511 4.1.9, 4533 3).
namespace code {
inline constexpr int success = 0;
inline constexpr int time_limit = 3;
inline constexpr int size_limit = 4;
inline constexpr int stronger_auth_required = 8;
inline constexpr int referral = 10;
inline constexpr int admin_limit = 11;
inline constexpr int unavailable_critical_extension = 12;
inline constexpr int confidentiality_required = 13;
inline constexpr int no_such_object = 32;
inline constexpr int invalid_dn_syntax = 34;
inline constexpr int inappropriate_authentication = 48;
inline constexpr int invalid_credentials = 49;
inline constexpr int insufficient_access = 50;
inline constexpr int busy = 51;
inline constexpr int unavailable = 52;
inline constexpr int unwilling = 53;
inline constexpr int sync_refresh_required = 4096;
}  // namespace code

/// `what`: "sign in as cn=x" or "search dc=example,dc=com"; `text`: the server's own words, cut to a line.
/// "cannot sign in as cn=x: the name or the password is wrong (LDAP 49: …); …"
std::string refusal_words(std::string_view what, int result, std::string_view text);

}  // namespace postern::sources::ldap
