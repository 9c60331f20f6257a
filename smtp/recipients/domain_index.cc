#include "smtp/recipients/domain_index.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "smtp/recipients/builder.h"

namespace postern::recipients {

domain_index::domain_index(domain_section section, std::uint64_t seed)
    : _seed(seed), _domains(std::move(section.domains)) {
    _routes.reserve(section.routes.size());
    for (route& value : section.routes) {
        _routes.push_back(std::make_shared<const route>(std::move(value)));
    }
    std::sort(_routes.begin(), _routes.end(), [](const auto& a, const auto& b) { return a->id < b->id; });
    _by_id.reserve(_domains.size());
    for (std::uint32_t i = 0; i < _domains.size(); ++i) {
        _by_id.emplace_back(_domains[i].id, i);
    }
    std::sort(_by_id.begin(), _by_id.end());

    _entries.reserve(_domains.size());
    _places.resize(std::bit_ceil(_domains.size() * 2 + 1));
    for (std::uint32_t i = 0; i < _domains.size(); ++i) {
        const domain_settings& own = _domains[i];
        const domain_settings* const settings = own.target == own.id ? &own : find_id(own.target);
        _entries.push_back({&own, settings, find_route(settings->route)});
        const std::uint64_t h = hash(own.name);
        std::size_t at = first_place(h);
        while (_places[at].index != 0) {
            at = next_place(at);
        }
        _places[at] = {tag_of(h), i + 1};
    }
}

std::uint64_t domain_index::hash(std::string_view name) const noexcept {
    return XXH3_64bits_withSeed(name.data(), name.size(), _seed);
}

const domain_index::entry* domain_index::find(std::string_view name, std::uint64_t hash) const noexcept {
    for (std::size_t at = first_place(hash); _places[at].index != 0; at = next_place(at)) {
        if (_places[at].tag == tag_of(hash) && _domains[_places[at].index - 1].name == name) {
            return &_entries[_places[at].index - 1];
        }
    }
    return nullptr;
}

void domain_index::ask_for_entry(std::uint64_t hash) const noexcept {
    for (std::size_t at = first_place(hash); _places[at].index != 0; at = next_place(at)) {
        if (_places[at].tag == tag_of(hash)) {
            prefetch(&_entries[_places[at].index - 1]);
            prefetch_object(_domains[_places[at].index - 1]);
            return;
        }
    }
}

const domain_settings* domain_index::find_id(std::uint32_t id) const noexcept {
    const auto found = std::lower_bound(_by_id.begin(), _by_id.end(), std::pair{id, std::uint32_t{0}});
    return found != _by_id.end() && found->first == id ? &_domains[found->second] : nullptr;
}

const std::shared_ptr<const route>* domain_index::find_route(std::uint32_t id) const noexcept {
    const auto found = std::lower_bound(_routes.begin(), _routes.end(), id,
                                        [](const auto& value, std::uint32_t wanted) { return value->id < wanted; });
    return found != _routes.end() && (*found)->id == id ? &*found : nullptr;
}

}  // namespace postern::recipients
