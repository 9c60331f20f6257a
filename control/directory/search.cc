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

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(),
                           [](char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
    return out;
}

}  // namespace

search_terms search_for(std::string_view text) {
    search_terms out;
    text = text.substr(0, longest);
    if (text.empty() || text == "@" || text.find('\0') != std::string_view::npos) {
        return out;
    }
    const std::size_t at_sign = text.rfind('@');
    const std::string_view local = text.substr(0, at_sign);
    if (at_sign != std::string_view::npos) {
        // A space follows the local part in the index, so its last two characters are enough. The pattern's end is the
        // local part's: drop the last '%'.
        out.match = trigrams(std::string(local) + ' ');
        out.like = like_part(local);
        out.like.pop_back();
        out.domain = like_part(text.substr(at_sign + 1), true);
        return out;
    }
    out.match = trigrams(local);
    if (out.match.empty()) {
        out.prefix = lower(local);
    } else if (std::ranges::all_of(local, [](char c) { return static_cast<unsigned char>(c) < 0x80; })) {
        // All trigrams may be there and the part not. LIKE folds ASCII only: other texts stay with the trigrams.
        out.like = like_part(local);
    }
    return out;
}

void search_terms::add_to(conditions& to, std::string_view row) const {
    const std::string name(row);
    if (!domain.empty()) {
        to.add(name + ".normal LIKE ? ESCAPE '\\'", like);
        to.add(name + ".domain IN (SELECT id FROM domain WHERE name LIKE ? ESCAPE '\\')", domain);
    } else if (!prefix.empty()) {
        // The sign keeps an index from beginning here: a page begins behind its mark. The end is the last character.
        to.add('+' + name + ".normal >= ?", prefix);
        to.add(name + ".normal < ?", prefix + "\xf4\x8f\xbf\xbf");
    } else if (!like.empty()) {
        to.add(name + ".normal || ' ' || " + name + ".first_name || ' ' || " + name + ".last_name LIKE ? ESCAPE '\\'",
               like);
    } else if (!match.empty()) {
        to.add("EXISTS (SELECT 1 FROM address_search WHERE address_search MATCH ? AND rowid = " + name + ".id)", match);
    }
}

}  // namespace postern::directory
