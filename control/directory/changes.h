// The feed that the publisher follows: every change of what the table file says is noted in the change's own
// transaction, so after any crash the publisher finds what it has not put in force yet.
#pragma once

#include <functional>
#include <optional>

#include "control/directory/store.h"
#include "smtp/recipients/builder.h"

namespace postern::directory {

enum class change_kind : std::uint8_t {
    address = 0,  ///< validity or payload of one address
    domains = 1,  ///< the domain section: domains, settings, routes
    bulk = 2,     ///< more than is worth naming: build a new base
};

struct change {
    std::uint64_t seq = 0;  ///< grows; gaps are normal; never used again
    change_kind kind = change_kind::address;
    std::uint32_t domain = 0;
    std::string address;  ///< normal text, for `address`
    bool was = false;     ///< for `address`: it was valid before. So a base holds it if its first change after has this
};

/// Beyond this many addresses in one transaction, a source notes one `bulk`.
constexpr std::uint64_t bulk_threshold = 20'000;

result<void> note_address(writer& in, std::uint32_t domain, std::string_view normal, bool was);
result<void> note_domains(writer& in);
result<void> note_bulk(writer& in);

/// The number of the last change that this reader sees; 0: none yet.
result<std::uint64_t> last_change(const reader& in);
/// At most `limit` changes with numbers over `after`, in order.
result<std::vector<change>> changes_after(const reader& in, std::uint64_t after, std::size_t limit);
/// Forgets changes up to `seq`, at most `limit` of them; how many went.
result<std::uint64_t> forget_changes(writer& in, std::uint64_t seq, std::size_t limit);

/// The domain section as the reader sees it.
result<recipients::domain_section> published_domains(const reader& in);
/// Every valid address once, streamed, until `sink` answers false. The views passed to it live for the call.
result<void> each_valid_address(const reader& in, const std::function<bool(const recipients::listed_address&)>& sink);
/// The address as the table is to have it, or nothing if it is not valid. `text` views into `normal`.
result<std::optional<recipients::listed_address>> published_address(const reader& in, std::uint32_t domain,
                                                                    std::string_view normal);

}  // namespace postern::directory
