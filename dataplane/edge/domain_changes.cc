#include "dataplane/edge/domain_changes.h"

#include <algorithm>

#include "smtp/recipients/domain_index.h"

namespace postern::edge {
namespace {

using recipients::domain_index;

/// Whether an entry decides and routes the same in both; routes are compared by content, since each table has its own.
bool same(const domain_index::entry& a, const domain_index::entry& b) {
    const bool routed = a.route != nullptr;
    if (routed != (b.route != nullptr)) {
        return false;
    }
    return *a.own == *b.own && *a.settings == *b.settings && (!routed || **a.route == **b.route);
}

}  // namespace

domain_changes compare_domains(const domain_index* from, const domain_index& to) {
    domain_changes out;
    for (const recipients::domain_settings& domain : to.domains()) {
        const domain_index::entry* before = from == nullptr ? nullptr : from->find(domain.name);
        if (before == nullptr) {
            out.added.push_back(domain.name);
        } else if (!same(*before, *to.find(domain.name))) {
            out.changed.push_back(domain.name);
        }
    }
    if (from != nullptr) {
        for (const recipients::domain_settings& domain : from->domains()) {
            if (to.find(domain.name) == nullptr) {
                out.removed.push_back(domain.name);
            }
        }
    }
    for (auto* names : {&out.added, &out.removed, &out.changed}) {
        std::sort(names->begin(), names->end());
    }
    return out;
}

}  // namespace postern::edge
