// Sources and what they assert. An address is valid while any source asserts it (or it is pinned), unless blocked.
#pragma once

#include "control/directory/mailboxes.h"
#include "control/directory/scope.h"
#include "control/directory/store.h"

namespace postern::directory {

struct source {
    std::uint32_t id = 0;
    std::string name;                ///< "manual", "csv:ORGANISATION/DOMAIN"; unique within the organisation
    std::uint32_t organisation = 0;  ///< 0: of the operator
    std::uint64_t asserted = 0;      ///< addresses
    timestamp created = 0;
};

constexpr std::uint32_t manual_source = 1;

/// The id of the organisation's source (0: the operator's); it is made if there is none of the name.
result<std::uint32_t> need_source(writer& in, std::string_view name, std::uint32_t organisation);
/// The one of the name that is of the operator or of an organisation in `within`. `invalid` (field "source") if several
/// organisations have one and `organisation` says none of them.
result<source> find_source(const reader& in, std::string_view name, const scope& within = {},
                           std::uint32_t organisation = 0);
result<page<source>> list_sources(const reader& in, const page_request& at);

/// The source asserts an address that is in the list. Nothing happens if it does already.
result<void> assert_address(writer& in, std::uint64_t address, std::uint32_t source);
/// The source asserts it no more; an address without any goes from the list.
result<void> withdraw_address(writer& in, std::uint64_t address, std::uint32_t source);

}  // namespace postern::directory
