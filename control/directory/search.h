// A person's search text as conditions on rows of `address` and its trigram index. Private to this folder.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/directory/connection.h"

namespace postern::directory {

/// Conditions of a query, each with its parameters: they stand in the order of the text.
struct conditions {
    std::string sql;  ///< " AND … AND …"
    std::vector<parameter> values;

    template <class... Values>
    void add(std::string_view text, const Values&... more) {
        sql += " AND ";
        sql += text;
        (values.push_back(to_parameter(more)), ...);
    }

private:
    static parameter to_parameter(std::string_view text) { return std::string(text); }
    template <std::integral T>
    static parameter to_parameter(T number) {
        return static_cast<std::int64_t>(number);
    }
};

struct search_terms {
    std::string match;   ///< FTS5: trigrams that all must be there; empty: too short for the index
    std::string prefix;  ///< beginning of the local part, in the case of the normal form; for texts too short
    std::string like;    ///< pattern of LIKE: of the local part if `domain` is set, else of local part and names
    std::string domain;  ///< pattern of LIKE for the domain's name

    /// Nothing was asked: everything matches.
    bool empty() const noexcept { return match.empty() && prefix.empty() && domain.empty(); }
    /// Whether the row `row` of `address` matches.
    void add_to(conditions& to, std::string_view row) const;
};
search_terms search_for(std::string_view text);

}  // namespace postern::directory
