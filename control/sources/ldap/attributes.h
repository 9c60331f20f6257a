// An LDAP object's attributes, and what they say: identity, addresses, kind. No connection; formats: "Attributes".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/sources/fetch.h"
#include "control/sources/ldap/settings.h"

namespace postern::sources::ldap {

/// "proxyAddresses;range=0-1499" taken apart (RFC 4512 2.5; [MS-ADTS] 3.1.1.3.1.3.3).
struct attribute_description {
    std::string name;                   ///< ASCII lower case, without options
    bool ranged = false;                ///< the values are a part: what follows says where it ends
    std::uint64_t first = 0;            ///< of the part
    std::optional<std::uint64_t> last;  ///< nothing: `*`, the part is the last one
};
/// Nothing for a range option that makes no sense.
std::optional<attribute_description> parse_description(std::string_view text);

struct attribute {
    std::string name;  ///< ASCII lower case, without options
    std::vector<std::string> values;
    std::uint64_t first = 0;                 ///< number of the first of them
    std::optional<std::uint64_t> more_from;  ///< the server has more values, from this number on
};

struct object {
    std::string dn;
    std::vector<attribute> attributes;

    const attribute* find(std::string_view lower_name) const noexcept;
    /// First value, or nothing.
    std::optional<std::string_view> first(std::string_view lower_name) const noexcept;
    bool has_value(std::string_view lower_name, std::string_view value) const noexcept;  ///< without regard to case
    /// Adds values that came under this description; false if its range does not follow on the values that are there.
    bool add(const attribute_description& description, std::vector<std::string> values);
};

/// 16 octets of objectGUID as text: the first three fields are little-endian ([MS-DTYP] 2.3.4).
std::string guid_text(std::string_view octets);
/// 16 octets of an entryUUID as they travel in RFC 4533 (RFC 4122 4.1.2).
std::string uuid_text(std::string_view octets);
/// The object's immutable id as text; empty if it has none.
std::string identity_of(const object& from);

/// Names of the attributes in a filter (RFC 4515), in lower case, each once: what may change whether an object is in.
std::vector<std::string> filter_attributes(std::string_view filter);
/// A filter's form as far as it can be told without a schema; the error says what is wrong.
tl::expected<void, std::string> check_filter(std::string_view filter);
/// Octets of a value as they stand in a filter: each as `\xx` (RFC 4515 3).
std::string filter_value(std::string_view octets);
/// A DN for comparison: ASCII lower case, without spaces around its commas and equals signs. Not for sending.
std::string comparable_dn(std::string_view dn);
/// Whether `dn` is `base` or below it.
bool is_within(std::string_view dn, std::string_view base);

struct mapped {
    enum class verdict : std::uint8_t {
        entry,
        no_address,   ///< none that can be used
        excluded,     ///< by a pattern
        disabled,     ///< by choice
        system,       ///< arbitration and discovery mailboxes
        no_identity,  ///< it can't be told again: the fetch is not complete
    };
    mapped::verdict verdict = mapped::verdict::entry;
    directory_entry entry;         ///< `identity` and `name` are set for every verdict
    std::uint64_t unreadable = 0;  ///< values that stand for an address and are none
};

class entry_mapper {
public:
    explicit entry_mapper(const ldap_settings& settings);
    mapped map(const object& from) const;
    /// What a search has to ask for.
    const std::vector<std::string>& wanted() const noexcept { return _wanted; }

private:
    bool is_disabled(const object& from) const;
    recipients::mailbox_kind kind_of(const object& from) const;
    void take_addresses(const object& from, mapped& to) const;

    std::string _mail;
    std::vector<std::string> _aliases;
    std::string _list_attribute;
    std::string _list_value;
    std::vector<std::string> _exclude;
    std::vector<std::string> _exclude_dn;
    bool _exclude_disabled;
    std::vector<std::string> _wanted;
};

}  // namespace postern::sources::ldap
