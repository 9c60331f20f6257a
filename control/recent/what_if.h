// What a list would have done to the mail of late: the recent recipients of a domain against the list as it is, or
// against a candidate.
//
// An address counts as taken if the table would take it: as it stands, without subaddress, without a `prvs=` tag, as a
// rewritten sender (by the domain's settings), or because postmaster and abuse are never refused.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "control/directory/domains.h"
#include "control/recent/recent_store.h"
#include "control/sources/import.h"

namespace postern::recent {

struct what_if_result {
    std::uint64_t recipients = 0;         ///< distinct addresses that were seen
    std::uint64_t taken = 0;              ///< of these, on the list
    std::uint64_t refused = 0;            ///< of these, not
    std::uint64_t refused_times = 0;      ///< how often those were seen
    std::uint64_t missed = 0;             ///< of the refused, those that the mail server accepted when it was asked
    std::vector<seen_address> addresses;  ///< refused ones: what the mail server accepted first, then by how often
};

/// Whether a list has a local part in normal form.
using local_list = std::function<bool(std::string_view local)>;

/// `most`: of `addresses`.
result<what_if_result> what_if(const recent_store& in, const recipients::domain_settings& domain, timestamp since,
                               const local_list& listed, std::size_t most);

/// The addresses of the domain that are valid now. The reader must outlive it.
local_list present_list(const directory::reader& in, std::uint32_t domain);

/// A list that is only being thought about.
class candidate_list {
public:
    static constexpr std::size_t most = 2'000'000;  ///< addresses

    /// Any spelling, or a bare local part. False: it is no address, or of another domain.
    bool add(std::string_view address);
    bool contains(std::string_view local) const { return _locals.contains(std::string(local)); }
    std::size_t size() const noexcept { return _locals.size(); }

    /// `names`: of the domain and its aliases, in normal form; the first is the one for bare local parts.
    explicit candidate_list(std::vector<std::string> names) : _names(std::move(names)) {}

    struct reading {
        std::uint64_t rows = 0;
        std::uint64_t addresses = 0;
        std::uint64_t elsewhere = 0;  ///< no address, or of another domain
        std::uint64_t unreadable = 0;
    };
    /// Adds all addresses of a CSV file in any layout that an import takes (docs/csv.md).
    result<reading> read(const sources::byte_source& file);

private:
    std::vector<std::string> _names;
    std::unordered_set<std::string> _locals;
};

}  // namespace postern::recent
