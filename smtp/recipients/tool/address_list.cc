#include "smtp/recipients/tool/address_list.h"

#include <algorithm>
#include <array>

#include "smtp/recipients/address.h"

namespace postern::recipients::tool {
namespace {

constexpr std::array<const char*, 6> kinds{"user", "shared", "resource", "list", "alias", "unclassified"};
constexpr std::array<const char*, 4> modes{"observe", "discover", "defer", "enforce"};

bool is_space(char c) noexcept {
    return c == ' ' || c == '\t' || c == '\r';
}

/// Takes the next word off; blanks within a quoted string belong to it.
std::string_view take_word(std::string_view& rest) noexcept {
    while (!rest.empty() && is_space(rest.front())) {
        rest.remove_prefix(1);
    }
    bool quoted = false;
    std::size_t end = 0;
    for (; end < rest.size() && (quoted || !is_space(rest[end])); ++end) {
        if (rest[end] == '"') {
            quoted = !quoted;
        } else if (rest[end] == '\\' && quoted && end + 1 < rest.size()) {
            ++end;
        }
    }
    const std::string_view word = rest.substr(0, end);
    rest.remove_prefix(end);
    return word;
}

bool take_attribute(std::string_view word, mailbox_kind& kind, bool& grace, bool& internal_only) noexcept {
    for (std::size_t i = 0; i < kinds.size(); ++i) {
        if (word == kinds[i]) {
            kind = static_cast<mailbox_kind>(i);
            return true;
        }
    }
    grace = grace || word == "grace";
    internal_only = internal_only || word == "internal-only";
    return word == "grace" || word == "internal-only";
}

}  // namespace

const char* word_of(mailbox_kind kind) noexcept {
    const auto index = static_cast<std::size_t>(kind);
    return index < kinds.size() ? kinds[index] : "unknown";
}

const char* word_of(mode of) noexcept {
    const auto index = static_cast<std::size_t>(of);
    return index < modes.size() ? modes[index] : "unknown";
}

bool parse_mode(std::string_view word, mode& out) noexcept {
    for (std::size_t i = 0; i < modes.size(); ++i) {
        if (word == modes[i]) {
            out = static_cast<mode>(i);
            return true;
        }
    }
    return false;
}

void address_list::read(std::istream& in, const domain_finder& find) {
    std::uint64_t number = 0;
    for (std::string line; std::getline(in, line);) {
        constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
        std::string_view text = line;
        if (++number == 1 && text.starts_with(byte_order_mark)) {
            text.remove_prefix(byte_order_mark.size());
        }
        read_line(text, number, find);
    }
    drop_repeated();
}

void address_list::read_line(std::string_view line, std::uint64_t number, const domain_finder& find) {
    const std::string_view address = take_word(line);
    if (address.empty() || address.front() == '#') {
        return;
    }
    normal_address normal;
    const address_options options{.allow_utf8 = true, .allow_bare_postmaster = false};
    if (const auto parsed = parse_address(address, options, normal); !parsed) {
        _bad.push_back({number, std::string(to_string(parsed.error()))});
        return;
    }
    const served_domain domain = find(normal.domain());
    if (domain.id == 0) {
        _bad.push_back({number, "the domain " + std::string(normal.domain()) + " is not one of the served"});
        return;
    }
    item made;
    made.line = number;
    made.domain = domain.id;
    for (std::string_view word = take_word(line); !word.empty() && word.front() != '#'; word = take_word(line)) {
        if (!take_attribute(word, made.kind, made.grace, made.internal_only)) {
            _bad.push_back({number, "'" + std::string(word) + "' is neither a kind nor a flag"});
            return;
        }
    }
    made.offset = _texts.size();
    _texts.append(normal.local());
    _texts.push_back('@');
    _texts.append(domain.name);
    made.size = static_cast<std::uint32_t>(_texts.size() - made.offset);
    _items.push_back(made);
}

void address_list::drop_repeated() {
    std::stable_sort(_items.begin(), _items.end(),
                     [this](const item& a, const item& b) { return text_of(a) < text_of(b); });
    std::size_t kept = 0;  // items before this one stay
    for (std::size_t i = 0; i < _items.size(); ++i) {
        const item& next = _items[i];
        if (kept == 0 || text_of(_items[kept - 1]) != text_of(next)) {
            _items[kept++] = next;
            continue;
        }
        const item& first = _items[kept - 1];
        ++_repeated;
        if (first.kind != next.kind || first.grace != next.grace || first.internal_only != next.internal_only) {
            _bad.push_back(
                {next.line, "the address stands in line " + std::to_string(first.line) + " with another kind or flag"});
        }
    }
    _items.resize(kept);
}

std::vector<listed_address> address_list::addresses() const {
    std::vector<listed_address> all;
    all.reserve(_items.size());
    for (const item& of : _items) {
        all.push_back({text_of(of), of.domain, of.kind, of.grace, of.internal_only});
    }
    return all;
}

}  // namespace postern::recipients::tool
