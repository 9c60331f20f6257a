// The two ways through the grammar of address.h: the plain one, which knows all of it, and a fast one for the addresses
// that mail is full of. For address.cc and the tests that hold them against each other.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <tl/expected.hpp>

#include "smtp/recipients/address.h"

namespace postern::recipients {

class address_parser {
public:
    address_parser(const address_options& options, normal_address& out) noexcept : _options(options), _out(out) {}

    using status = tl::expected<void, address_error>;
    status mailbox(std::string_view text) noexcept;
    status domain(std::string_view text) noexcept;

    /// Takes `local@domain` of at most 64 octets out of letters, digits and `-_+=.`; false for anything else, right or
    /// wrong. Looks at 16 octets at a time.
    static bool plain_mailbox(std::string_view text, normal_address& out) noexcept;
    /// The same of what stands before the first `end` in a text of 16 octets or more; its size, or 0 for no.
    static std::size_t plain_mailbox_before(char end, std::string_view text, normal_address& out) noexcept;
    /// Its variants that this CPU can run; the last one is used.
    using finder = std::size_t (*)(char end, std::string_view text, normal_address& out) noexcept;
    static std::span<const finder> finders() noexcept;

private:
    using sized = tl::expected<std::size_t, address_error>;

    struct octet_masks;
    struct finders_here;
    [[gnu::always_inline]] static inline bool plain_by(const octet_masks& is, std::size_t size,
                                                       normal_address& out) noexcept;

    void clear() noexcept;
    status read_mailbox(std::string_view text) noexcept;
    status check_octets(std::string_view text) const noexcept;
    sized dot_local(std::string_view text) noexcept;
    sized quoted_local(std::string_view text) noexcept;
    sized fold_local(std::string_view content, std::size_t read) noexcept;
    sized keep_local(std::string_view content, std::size_t read) noexcept;
    status read_domain(std::string_view text) noexcept;

    const address_options& _options;
    normal_address& _out;
};

}  // namespace postern::recipients
