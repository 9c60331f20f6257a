// The domains of one table file in force: name -> settings, routes by id. Immutable; lookups don't allocate.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "smtp/recipients/domains.h"
#include "smtp/recipients/octets.h"

namespace postern::recipients {

struct domain_section;

class domain_index {
public:
    /// What a name leads to: its own entry, the settings that count (its target's if it is a domain alias) and their
    /// route. All point into the index.
    struct entry {
        const domain_settings* own = nullptr;
        const domain_settings* settings = nullptr;
        const std::shared_ptr<const recipients::route>* route = nullptr;  ///< null if the settings have none
    };

    /// Precondition: check_domains(section). `seed` keeps the places in the index unforeseeable.
    domain_index(domain_section section, std::uint64_t seed);
    domain_index(const domain_index&) = delete;
    domain_index& operator=(const domain_index&) = delete;

    /// The entry of a name in normal form; null if it is not served.
    const entry* find(std::string_view name) const noexcept { return find(name, hash(name)); }
    const entry* find(std::string_view name, std::uint64_t hash) const noexcept;

    /// `find` in steps for several names at a time, each of which asks memory for what the next one reads: the hash,
    /// the place, the entry, what it leads to.
    std::uint64_t hash(std::string_view name) const noexcept;
    void ask_for_place(std::uint64_t hash) const noexcept { prefetch(&_places[first_place(hash)]); }
    void ask_for_entry(std::uint64_t hash) const noexcept;
    static void ask_for_settings(const entry& of) noexcept {
        prefetch_object(*of.settings);
        prefetch(of.route);
    }

    const domain_settings* find_id(std::uint32_t id) const noexcept;
    /// Null if there is no such route. The pointer lives as long as the index; copy the shared one to keep the route.
    const std::shared_ptr<const route>* find_route(std::uint32_t id) const noexcept;

    std::span<const domain_settings> domains() const noexcept { return _domains; }
    std::span<const std::shared_ptr<const route>> routes() const noexcept { return _routes; }

private:
    struct place {
        std::uint32_t tag = 0;    ///< of the name's hash
        std::uint32_t index = 0;  ///< of the domain, from 1; 0: free
    };
    static std::uint32_t tag_of(std::uint64_t hash) noexcept { return static_cast<std::uint32_t>(hash >> 32U); }
    std::size_t first_place(std::uint64_t hash) const noexcept { return hash & (_places.size() - 1); }
    std::size_t next_place(std::size_t at) const noexcept { return (at + 1) & (_places.size() - 1); }

    std::uint64_t _seed;
    std::vector<domain_settings> _domains;                        ///< as in the file
    std::vector<entry> _entries;                                  ///< beside _domains
    std::vector<std::shared_ptr<const route>> _routes;            ///< by ascending id
    std::vector<std::pair<std::uint32_t, std::uint32_t>> _by_id;  ///< {id, index}, ascending
    std::vector<place> _places;                                   ///< a power of two, at most half full
};

}  // namespace postern::recipients
