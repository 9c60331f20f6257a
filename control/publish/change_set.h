// What an overlay over one base is made of: the addresses that changed since, each as the table is to have it now.
// Read from the directory's feed; an address is asked of the directory once per change, not once per overlay.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "control/directory/changes.h"

namespace postern::publish {

class change_set {
public:
    /// Begins anew: over a base that holds all changes up to `base_seq`.
    void start_from(std::uint64_t base_seq);
    /// Takes in every change that the reader sees beyond `seq()`.
    directory::result<void> absorb(const directory::reader& in);

    std::uint64_t base_seq() const noexcept { return _base_seq; }
    std::uint64_t seq() const noexcept { return _seq; }  ///< changes up to it are in
    /// Too much changed for an overlay: only a new base can hold it. The addresses are not kept then.
    bool needs_base() const noexcept { return _bulk; }
    bool domains_changed() const noexcept { return _domains; }
    std::size_t size() const noexcept { return _entries.size(); }
    bool empty() const noexcept { return _entries.empty() && !_domains; }

    struct lists {
        std::vector<recipients::listed_address> added;  ///< texts view into the set
        std::vector<std::string> removed;
    };
    lists make_lists() const;
    /// Addresses more than the base's, or less.
    std::int64_t growth() const;

private:
    struct entry {
        bool in_base = false;
        std::optional<recipients::listed_address> now;  ///< its text is the key's, not this one
    };
    std::unordered_map<std::string, entry> _entries;
    std::uint64_t _base_seq = 0;
    std::uint64_t _seq = 0;
    bool _bulk = false;
    bool _domains = false;
};

}  // namespace postern::publish
