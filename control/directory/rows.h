// What the directory's own files share: finding the row of an address, keeping `valid` and the feed right, JSON of
// rows. Private to this folder.
#pragma once

#include <string>
#include <string_view>

#include "control/directory/connection.h"
#include "control/directory/paging.h"
#include "control/directory/store.h"

namespace postern::directory {

/// Where an address belongs: a served domain (a domain alias is already replaced by its target) and the local part.
struct place {
    std::uint32_t domain = 0;
    std::uint32_t organisation = 0;
    std::string domain_name;  ///< normal form
    std::string local;        ///< as given
    std::string normal;       ///< local part in normal form
    std::string text() const { return normal + '@' + domain_name; }
};
/// `field` is what the error blames.
result<place> place_address(const reader& in, std::string_view address, std::string_view field);

/// For an address of a domain that is not served. Precondition: it is an address.
error not_served(std::string_view address, std::string_view field);

/// The row with this (domain, normal); 0: none.
std::int64_t address_at(const reader& in, const place& at);

/// After assertions, hold or payload of a row were changed: brings `valid` up to date, notes the change in the feed if
/// the table changes, and takes the row away if nothing keeps it (its mailbox then too, if only this alias kept it).
void settle(writer& in, std::int64_t address, bool payload_changed);

/// "address:NORMAL@DOMAIN".
std::string address_subject(const reader& in, std::int64_t address);
/// A row as JSON, for history.
std::string address_json(const reader& in, std::int64_t address);
std::string domain_json(const reader& in, std::uint32_t id);
std::string route_json(const reader& in, std::uint32_t id);

/// "'%part%'" for LIKE … ESCAPE '\'.
std::string like_part(std::string_view part, bool at_start = false);

/// A name for people: not empty, at most 255 octets, UTF-8, no control characters.
result<void> check_name(std::string_view name, std::string_view field);
/// Valid UTF-8 without control characters, at most `limit` octets.
bool is_plain_text(std::string_view text, std::size_t limit) noexcept;

}  // namespace postern::directory
