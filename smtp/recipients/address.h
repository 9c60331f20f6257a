// Mailbox addresses: the grammar of RFC 5321 4.1.2 (with 6531's UTF-8) and Postern's one normal form of them.
//
// The table's builder and the edge both use this file, so what is stored and what is asked can't differ.
// Normal form: ASCII case folded; domain lower-cased, A-labels, no trailing dot; Unicode local part NFC and
// case-folded; quoted local part unquoted where the content is a dot-string; source route stripped.
// RFC 5321 4.1.2, 4.1.3, 4.5.3.1; RFC 6531 3.3; RFC 5891/5892 (through libidn2); RFC 5322 3.2.3.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tl/expected.hpp>

namespace postern::recipients {

enum class address_error : std::uint8_t {
    empty,            ///< nothing there
    no_domain,        ///< no `@domain` (only `postmaster` may stand alone, and only where the caller allows it)
    local_syntax,     ///< the local part is neither dot-string nor quoted-string
    domain_syntax,    ///< not a host name or address literal
    domain_too_long,  ///< over 255 octets, or a label over 63
    too_long,         ///< more than `normal_address::capacity` octets
    not_utf8,         ///< invalid UTF-8 (overlong and surrogates too)
    not_ascii,        ///< 8-bit octets where only ASCII is allowed
    bad_idn,          ///< the domain has no A-label form
};

/// A sentence for people and logs, without the address.
std::string_view to_string(address_error error) noexcept;

/// One address in normal form: `local@domain` in a buffer of its own; no allocation, cheap to reuse.
class normal_address {
public:
    static constexpr std::size_t capacity = 1024;

    std::string_view text() const noexcept { return {_text.data(), _size}; }  ///< `local@domain`
    std::string_view local() const noexcept {
        return {_text.data(), _local_size};
    }  ///< normal form, unquoted if it could be
    /// A-labels in lower case, or an address literal `[192.0.2.1]` / `[ipv6:2001:db8::1]` in canonical form.
    std::string_view domain() const noexcept { return text().substr(_size == _local_size ? _size : _local_size + 1U); }
    bool is_literal() const noexcept { return _literal; }
    /// True for the bare `postmaster` (then `domain()` is empty).
    bool is_bare_postmaster() const noexcept { return _size == _local_size && _size != 0; }
    /// Whether there may be a `+` or `=` in the local part, and so other forms under which it may be listed.
    bool may_be_tagged() const noexcept { return _tagged; }

private:
    friend class address_parser;
    std::uint16_t _size = 0;
    std::uint16_t _local_size = 0;
    bool _literal = false;
    bool _tagged = true;
    std::array<char, capacity> _text;  // NOLINT: filled up to _size only; the sizes share its first cache line
};

struct address_options {
    bool allow_utf8 = true;             ///< SMTPUTF8 in force, or a list of the administrator's
    bool allow_bare_postmaster = true;  ///< `<postmaster>` (RFC 5321 4.1.1.3)
};

/// Parses a mailbox (no angle brackets; a source route `@a,@b:` in front is accepted and ignored) and puts its normal
/// form into `out`.
tl::expected<void, address_error> parse_address(std::string_view mailbox, const address_options& options,
                                                normal_address& out) noexcept;

/// The same for the addresses that mail is full of: `local@domain` of at most 64 octets, letters, digits and `-_+=.`.
/// False: it is none of them, right or wrong, and `out` says nothing.
bool parse_plain_address(std::string_view mailbox, normal_address& out) noexcept;
/// The same of what stands before the first `end` in `text`. Its octets; 0: it is none of them, right or wrong, or the
/// text has less than 16 octets.
std::size_t parse_plain_address_before(char end, std::string_view text, normal_address& out) noexcept;

/// The normal form of a domain alone, as for a served domain's name: `domain()` of the result, whose local part is
/// empty. Fails as `parse_address` would for the part behind the `@`.
tl::expected<void, address_error> parse_domain(std::string_view domain, normal_address& out) noexcept;

}  // namespace postern::recipients
