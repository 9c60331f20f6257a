#include "control/directory/search.h"

#include <algorithm>
#include <vector>

#include "control/directory/rows.h"

namespace postern::directory {

namespace {

constexpr std::size_t longest = 256;  // octets of a search that count

/// Octet ranges of the characters. The text is UTF-8; a stray octet counts as a character.
std::vector<std::string_view> characters(std::string_view text) {
    std::vector<std::string_view> out;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t size = 1;
        while (at + size < text.size() && (static_cast<unsigned char>(text[at + size]) & 0xc0U) == 0x80U) {
            ++size;
        }
        out.push_back(text.substr(at, size));
        at += size;
    }
    return out;
}

/// `"abc" "bcd" …`: FTS5 joins them with AND. Empty for less than three characters.
std::string trigrams(std::string_view text) {
    const std::vector<std::string_view> all = characters(text);
    std::vector<std::string> terms;
    for (std::size_t at = 0; at + 3 <= all.size(); ++at) {
        std::string term = "\"";
        for (const std::string_view character : {all[at], all[at + 1], all[at + 2]}) {
            term += character == "\"" ? std::string_view("\"\"") : character;
        }
        terms.push_back(term + '"');
    }
    std::ranges::sort(terms);
    const auto repeated = std::ranges::unique(terms);
    terms.erase(repeated.begin(), repeated.end());
    std::string out;
    for (const std::string& term : terms) {
        out += (out.empty() ? "" : " ") + term;
    }
    return out;
}

}  // namespace

search_terms search_for(std::string_view text) {
    search_terms out;
    text = text.substr(0, longest);
    if (text.empty() || text.find('\0') != std::string_view::npos) {
        return out;
    }
    const std::size_t at_sign = text.rfind('@');
    const std::string_view local = text.substr(0, at_sign);
    out.match = trigrams(local);
    out.condition = out.match.empty() ? "FROM address x WHERE ?8 = ''"
                                      : "FROM address_search f JOIN address x ON x.id = f.rowid"
                                        " WHERE f.address_search MATCH ?8";
    if (at_sign != std::string_view::npos) {
        // The pattern's end is the local part's: drop the last '%'.
        out.like = like_part(local);
        out.like.pop_back();
        out.domain = like_part(text.substr(at_sign + 1), true);
        out.condition +=
            " AND x.normal LIKE ?9 ESCAPE '\\'"
            " AND x.domain IN (SELECT id FROM domain WHERE name LIKE ?10 ESCAPE '\\')";
        return out;
    }
    out.condition += " AND ?10 = ''";
    if (out.match.empty()) {
        out.like = like_part(local, true);
        out.condition += " AND x.normal LIKE ?9 ESCAPE '\\'";
    } else if (std::ranges::all_of(local, [](char c) { return static_cast<unsigned char>(c) < 0x80; })) {
        // All trigrams may be there and the part not. LIKE folds ASCII only: other texts stay with the trigrams.
        out.like = like_part(local);
        out.condition += " AND x.normal || ' ' || x.first_name || ' ' || x.last_name LIKE ?9 ESCAPE '\\'";
    } else {
        out.condition += " AND ?9 = ''";
    }
    return out;
}

}  // namespace postern::directory
