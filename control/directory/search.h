// A person's search text as conditions on the table `address` and its trigram index. Private to this folder.
#pragma once

#include <string>
#include <string_view>

namespace postern::directory {

/// `condition` continues a SELECT over rows `x` of addresses ("FROM … WHERE …") and uses ?8 (match), ?9 (like) and
/// ?10 (domain); empty: no search.
struct search_terms {
    std::string condition;
    std::string match;   ///< FTS5: the part's trigrams, all of them
    std::string like;    ///< pattern of LIKE
    std::string domain;  ///< pattern of LIKE for the domain's name
};
search_terms search_for(std::string_view text);

}  // namespace postern::directory
