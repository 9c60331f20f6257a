#include "control/sources/paste.h"

#include <algorithm>

#include "control/sources/csv_text.h"

namespace postern::sources {

namespace {

constexpr std::size_t longest_shown = 200;
constexpr std::size_t longest_name = 255;

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f' || c == '\0';
}
/// What ends an entry; blanks only end a word.
bool is_separator(char c) {
    return c == '\n' || c == ',' || c == ';';
}

/// One word, quoted text or `<…>` of a stretch between two separators.
struct piece {
    enum class kind : std::uint8_t { word, quoted, angled };
    piece::kind kind = kind::word;
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    std::string text;
    bool open = false;  ///< the quote or the angle bracket is never closed on its line
};

class reader {
public:
    explicit reader(std::string_view text) : _text(text) {}

    /// The next stretch's pieces; false at the end. A stretch may be empty.
    bool next(std::vector<piece>& out) {
        out.clear();
        if (_at >= _text.size()) {
            return false;
        }
        while (_at < _text.size() && !is_separator(_text[_at])) {
            if (is_blank(_text[_at])) {
                step();
            } else {
                out.push_back(take());
            }
        }
        if (_at < _text.size()) {
            step();
        }
        return true;
    }

private:
    void step() {
        if (_text[_at] == '\n') {
            ++_line;
            _line_start = _at + 1;
        }
        ++_at;
    }

    piece take() {
        piece out;
        out.line = _line;
        out.column = static_cast<std::uint32_t>(_at - _line_start + 1);
        if (_text[_at] == '<') {
            out.kind = piece::kind::angled;
            take_until('>', out);
        } else if (_text[_at] == '"' && !quoted_local_part()) {
            out.kind = piece::kind::quoted;
            take_until('"', out);
        } else {
            take_word(out);
        }
        return out;
    }

    /// `"a b"@example.com` is an address, `"A B" <…>` a name.
    bool quoted_local_part() const {
        std::size_t at = _at + 1;
        while (at < _text.size() && _text[at] != '"' && _text[at] != '\n') {
            at += _text[at] == '\\' ? 2U : 1U;
        }
        return at + 1 < _text.size() && _text[at] == '"' && _text[at + 1] == '@';
    }

    void take_until(char end, piece& out) {
        step();
        while (_at < _text.size() && _text[_at] != end && _text[_at] != '\n') {
            if (end == '"' && _text[_at] == '\\' && _at + 1 < _text.size() && _text[_at + 1] != '\n') {
                step();
            }
            out.text += _text[_at];
            step();
        }
        out.open = _at >= _text.size() || _text[_at] != end;
        if (!out.open) {
            step();
        }
    }

    void take_word(piece& out) {
        bool quoted = false;
        while (_at < _text.size() && _text[_at] != '\n') {
            const char c = _text[_at];
            if (!quoted && (is_separator(c) || is_blank(c) || c == '<')) {
                break;
            }
            if (c == '"') {
                quoted = !quoted && out.text.empty();
            }
            out.text += c;
            step();
        }
    }

    std::string_view _text;
    std::size_t _at = 0;
    std::uint32_t _line = 1;
    std::size_t _line_start = 0;
};

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_blank(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && is_blank(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

std::string_view without_scheme(std::string_view text) {
    constexpr std::string_view scheme = "mailto:";
    const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b; };
    if (text.size() > scheme.size() &&
        std::equal(scheme.begin(), scheme.end(), text.begin(), [&](char a, char b) { return same(b, a); })) {
        text.remove_prefix(scheme.size());
    }
    return text;
}

/// "Archer, Alice" or "Alice Archer": the last word is the last name.
void set_names(std::string_view whole, pasted& to) {
    whole = trimmed(whole);
    if (whole.size() >= 2 && whole.front() == '\'' && whole.back() == '\'') {
        whole = trimmed(whole.substr(1, whole.size() - 2));
    }
    const std::size_t comma = whole.find(',');
    std::string_view first;
    std::string_view last;
    if (comma != std::string_view::npos) {
        last = trimmed(whole.substr(0, comma));
        first = trimmed(whole.substr(comma + 1));
    } else if (const std::size_t blank = whole.rfind(' '); blank != std::string_view::npos) {
        first = trimmed(whole.substr(0, blank));
        last = trimmed(whole.substr(blank + 1));
    } else {
        first = whole;
    }
    to.first_name = plain_text(first, longest_name);
    to.last_name = plain_text(last, longest_name);
}

pasted entry_of(const piece& from, std::string_view name) {
    pasted out{from.line, from.column, std::string(without_scheme(trimmed(from.text))), {}, {}, {}};
    if (from.open) {
        out.problem = from.kind == piece::kind::angled ? "the \"<\" before it is never closed on its line"
                                                       : "the quote before it is never closed on its line";
    } else if (out.text.empty()) {
        out.problem = from.kind == piece::kind::angled ? "there is nothing within the angle brackets"
                                                       : "there is nothing within the quotes";
    } else if (out.text.size() > longest_pasted) {
        out.problem = "it is longer than " + std::to_string(longest_pasted) + " octets";
    }
    if (!out.problem.empty()) {
        out.text = plain_text(out.text, longest_shown);
    } else {
        set_names(name, out);
    }
    return out;
}

/// A stretch's pieces as entries. Words before `<…>` are its name; others without `@` are local parts if nothing but
/// such stands in the stretch.
void read_stretch(const std::vector<piece>& pieces, bool local_parts, std::vector<pasted>& out) {
    const auto is_address = [](const piece& each) {
        return each.kind == piece::kind::angled || each.text.find('@') != std::string::npos;
    };
    const bool has_address = std::ranges::any_of(pieces, is_address);
    for (std::size_t at = 0; at < pieces.size(); ++at) {
        if (is_address(pieces[at]) && pieces[at].kind != piece::kind::quoted) {
            out.push_back(entry_of(pieces[at], {}));
            continue;
        }
        std::size_t end = at;
        std::string name;
        while (end < pieces.size() && !(is_address(pieces[end]) && pieces[end].kind != piece::kind::quoted)) {
            name += (name.empty() ? "" : " ") + pieces[end].text;
            ++end;
        }
        if (end < pieces.size() && pieces[end].kind == piece::kind::angled && !pieces[at].open) {
            out.push_back(entry_of(pieces[end], name));
            at = end;
            continue;
        }
        for (; at < end; ++at) {
            pasted next = entry_of(pieces[at], {});
            if (next.problem.empty() && pieces[at].kind == piece::kind::quoted) {
                next.problem = "a name without an address: write it as \"Name\" <address>";
            } else if (next.problem.empty() && (has_address || !local_parts)) {
                next.problem = has_address ? "it has no \"@\"; a name goes before <address>"
                                           : "it has no domain; write the whole address, or name the domain";
            }
            if (!next.problem.empty()) {
                next.text = plain_text(next.text, longest_shown);
            }
            out.push_back(std::move(next));
        }
        --at;
    }
}

}  // namespace

tl::expected<std::vector<pasted>, std::string> read_paste(std::string_view text, bool local_parts) {
    if (text.size() > longest_paste) {
        return tl::unexpected("the text is longer than " + std::to_string(longest_paste >> 20U) +
                              " MiB; import it as a file instead");
    }
    if (text.starts_with("\xEF\xBB\xBF")) {
        text.remove_prefix(3);
    }
    std::vector<pasted> out;
    std::vector<piece> pieces;
    reader from(text);
    while (from.next(pieces)) {
        read_stretch(pieces, local_parts, out);
        if (out.size() > most_pasted) {
            return tl::unexpected("there are more than " + std::to_string(most_pasted) +
                                  " addresses; import them as a file instead");
        }
    }
    return out;
}

}  // namespace postern::sources
