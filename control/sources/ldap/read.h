// From a server's objects to a sink's entries: what every way of fetching shares. Not part of the folder's public face.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/sources/fetch.h"
#include "control/sources/ldap/attributes.h"
#include "control/sources/ldap/connection.h"

namespace postern::sources::ldap {

/// Gives what a search yields to a sink, and keeps what stands in the way of a complete fetch.
class entry_reader final : public search_handler {
public:
    /// All must outlive the reader. `changes`: an object that asserts nothing is `gone`, not just left out.
    entry_reader(connection& on, const entry_mapper& mapper, entry_sink& into, fetch_outcome& out, bool changes);

    bool take_object(object&& one, std::span<const received_control> controls) override;
    bool take_reference(const std::vector<std::string>& urls) override;

    /// `identity`: as the protocol tells it; empty: the object's own.
    bool take(object&& one, const std::string& identity);
    bool gone(const std::string& identity);
    void set_changes(bool changes) noexcept { _changes = changes; }
    /// Why a search ended early, or what makes the fetch partial in spite of the server's success.
    result<void> standing() const;
    /// Names (16 octets) of the objects that were read since the last call.
    std::set<std::string> take_guids() { return std::exchange(_guids, {}); }
    const entry_mapper& mapper() const noexcept { return _mapper; }
    fetch_outcome& outcome() noexcept { return _out; }

private:
    result<void> complete_ranges(object& one);
    bool yield(mapped&& one);

    connection& _on;
    const entry_mapper& _mapper;
    entry_sink& _into;
    fetch_outcome& _out;
    bool _changes;
    std::set<std::string> _guids;
    std::optional<failure> _broken;      ///< ends the search
    std::optional<failure> _incomplete;  ///< does not
};

/// Reads everything below `base` that passes `filter`, page by page.
result<void> read_pages(connection& on, const std::string& base, const std::string& filter,
                        const std::vector<std::string>& attributes, std::vector<control> controls,
                        search_handler& into);
/// What the settings' base and filter hold.
result<void> read_whole(connection& on, entry_reader& into);

/// What a result code other than success says of a search; partial for a limit.
failure search_failure(const std::string& base, const search_end& end);
/// Whether a part of the tree that another server holds may have recipients: not Active Directory's configuration,
/// schema and DNS zones, to which it refers in every search from a domain's root.
bool may_hold_recipients(std::string_view referral_url);

/// What a server says of itself (RFC 4512 5.1).
struct root_dse {
    std::vector<std::string> naming_contexts;
    std::set<std::string> controls;
    bool active_directory = false;
    std::string service_name;       ///< dsServiceName: which domain controller
    std::uint64_t highest_usn = 0;  ///< highestCommittedUSN

    bool has(const char* control_oid) const { return controls.count(control_oid) != 0; }
    /// The naming context that holds `base`; `base` itself if none is known.
    std::string context_of(const std::string& base) const;
};
result<root_dse> read_root(connection& on);

}  // namespace postern::sources::ldap
