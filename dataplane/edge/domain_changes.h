// Which served domains two tables differ in, for `table diff`.
#pragma once

#include <string>
#include <vector>

#include "smtp/recipients/snapshot.h"

namespace postern::edge {

struct domain_changes {
    std::vector<std::string> added;
    std::vector<std::string> removed;
    std::vector<std::string> changed;  ///< settings or route
};

/// `from` may be null (no table in force). Names in alphabetical order.
domain_changes compare_domains(const recipients::domain_index* from, const recipients::domain_index& to);

}  // namespace postern::edge
