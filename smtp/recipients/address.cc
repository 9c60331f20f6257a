#include "smtp/recipients/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "smtp/recipients/address_grammar.h"
#include "smtp/recipients/address_parser.h"
#include "smtp/recipients/unicode.h"

namespace postern::recipients {
namespace {

using status = tl::expected<void, address_error>;
using sized = tl::expected<std::size_t, address_error>;

constexpr std::size_t max_domain = 255;
constexpr std::size_t max_label = 63;

tl::unexpected<address_error> fail(address_error error) noexcept {
    return tl::unexpected(error);
}

/// Writes an ASCII host name in lower case without its trailing dot.
sized put_host_name(std::string_view name, std::span<char> out) noexcept {
    if (!name.empty() && name.back() == '.') {
        name.remove_suffix(1);
    }
    if (name.empty()) {
        return fail(address_error::domain_syntax);
    }
    if (name.size() > max_domain) {
        return fail(address_error::domain_too_long);
    }
    if (name.size() > out.size()) {
        return fail(address_error::too_long);
    }
    std::size_t label = 0;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const char c = name[i];
        if (c == '.') {
            if (label == 0 || name[i - 1] == '-') {
                return fail(address_error::domain_syntax);
            }
            label = 0;
        } else {
            if (!grammar::is(c, grammar::label) || (c == '-' && label == 0)) {
                return fail(address_error::domain_syntax);
            }
            if (++label > max_label) {
                return fail(address_error::domain_too_long);
            }
        }
        out[i] = grammar::lower(c);
    }
    if (label == 0 || name.back() == '-') {
        return fail(address_error::domain_syntax);
    }
    return name.size();
}

sized put_internationalised(std::string_view name, std::span<char> out) noexcept {
    for (const char c : name) {
        // What IDNA would map away or let through is refused as in an ASCII domain.
        if (!grammar::is(c, grammar::label | grammar::eight_bit) && c != '.') {
            return fail(address_error::domain_syntax);
        }
    }
    std::array<char, normal_address::capacity> ascii;  // NOLINT: filled by to_ascii
    const sized size = unicode::to_ascii(name, ascii);
    if (!size) {
        return size;
    }
    return put_host_name({ascii.data(), *size}, out);
}

/// The four numbers of an IPv4 literal; zeros in front are taken, as Snum's grammar has them.
bool parse_ipv4(std::string_view text, std::array<unsigned, 4>& numbers) noexcept {
    std::size_t at = 0;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        if (i != 0 && (at >= text.size() || text[at++] != '.')) {
            return false;
        }
        const std::size_t start = at;
        unsigned value = 0;
        while (at < text.size() && at - start < 3 && text[at] >= '0' && text[at] <= '9') {
            value = value * 10 + static_cast<unsigned>(text[at++] - '0');
        }
        if (at == start || value > 255) {
            return false;
        }
        numbers[i] = value;
    }
    return at == text.size();
}

/// Appends to a buffer; what does not fit is remembered, not written.
class appender {
public:
    explicit appender(std::span<char> out) noexcept : _out(out) {}
    void put(std::string_view text) noexcept {
        if (text.size() > _out.size() - _size) {
            _overflow = true;
            return;
        }
        std::memcpy(_out.data() + _size, text.data(), text.size());
        _size += text.size();
    }
    void put(char c) noexcept { put(std::string_view(&c, 1)); }
    void put_octet(unsigned value) noexcept {
        if (value >= 100) {
            put(static_cast<char>('0' + value / 100));
        }
        if (value >= 10) {
            put(static_cast<char>('0' + value / 10 % 10));
        }
        put(static_cast<char>('0' + value % 10));
    }
    sized result() const noexcept {
        if (_overflow) {
            return fail(address_error::too_long);
        }
        return _size;
    }

private:
    std::span<char> _out;
    std::size_t _size = 0;
    bool _overflow = false;
};

/// RFC 5321 4.1.3. `inner` is what stands between the brackets. Tags other than IPv6 are registered nowhere.
sized put_literal(std::string_view inner, std::span<char> out) noexcept {
    constexpr std::string_view tag = "ipv6:";
    appender to(out);
    std::array<unsigned, 4> numbers{};
    if (parse_ipv4(inner, numbers)) {
        to.put('[');
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            if (i != 0) {
                to.put('.');
            }
            to.put_octet(numbers[i]);
        }
        to.put(']');
        return to.result();
    }
    if (inner.size() <= tag.size() || !grammar::equals_folded(inner.substr(0, tag.size()), tag)) {
        return fail(address_error::domain_syntax);
    }
    inner.remove_prefix(tag.size());
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (inner.size() >= text.size()) {
        return fail(address_error::domain_syntax);
    }
    std::memcpy(text.data(), inner.data(), inner.size());
    in6_addr address{};
    if (std::memchr(inner.data(), '\0', inner.size()) != nullptr || inet_pton(AF_INET6, text.data(), &address) != 1 ||
        inet_ntop(AF_INET6, &address, text.data(), text.size()) == nullptr) {
        return fail(address_error::domain_syntax);
    }
    to.put('[');
    to.put(tag);
    to.put(std::string_view(text.data()));
    to.put(']');
    return to.result();
}

/// Writes a domain or address literal in normal form; UTF-8 was checked.
sized put_domain(std::string_view domain, std::span<char> out, bool& literal) noexcept {
    literal = !domain.empty() && domain.front() == '[';
    if (literal) {
        if (domain.size() > max_domain) {
            return fail(address_error::domain_too_long);
        }
        if (domain.back() != ']') {
            return fail(address_error::domain_syntax);
        }
        return put_literal(domain.substr(1, domain.size() - 2), out);
    }
    if (grammar::has_eight_bit(domain)) {
        return put_internationalised(domain, out);
    }
    return put_host_name(domain, out);
}

/// Octets of a quoted string up to and with its closing quote; 0 if it isn't one. Writes what it stands for.
std::size_t unquote(std::string_view text, appender& content) noexcept {
    for (std::size_t i = 1; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '"') {
            return i + 1;
        }
        if (c == '\\') {
            if (++i >= text.size() || !grammar::is(text[i], grammar::quoted)) {
                return 0;
            }
            content.put(text[i]);
        } else if (grammar::is(c, grammar::qtext | grammar::eight_bit)) {
            content.put(c);
        } else {
            return 0;
        }
    }
    return 0;
}

/// Writes a local part's content, quoting it only if it has to be.
sized put_content(std::string_view content, std::span<char> out) noexcept {
    appender to(out);
    if (grammar::is_dot_string(content)) {
        to.put(content);
        return to.result();
    }
    to.put('"');
    for (const char c : content) {
        if (c == '"' || c == '\\') {
            to.put('\\');
        }
        to.put(c);
    }
    to.put('"');
    return to.result();
}

/// Octets of `@a,@b:` in front of a mailbox; 0 if there is no route. RFC 5321 4.1.2 (A-d-l) and appendix C.
sized source_route(std::string_view mailbox, std::span<char> scratch) noexcept {
    std::size_t at = 0;
    while (at < mailbox.size() && mailbox[at] == '@') {
        const std::size_t start = ++at;
        const bool literal = start < mailbox.size() && mailbox[start] == '[';
        at = literal ? mailbox.find(']', start) : start;
        at = at == std::string_view::npos ? at : mailbox.find_first_of(",:", at);
        if (at == std::string_view::npos) {
            return fail(address_error::domain_syntax);
        }
        bool is_literal = false;
        if (const sized domain = put_domain(mailbox.substr(start, at - start), scratch, is_literal); !domain) {
            return domain;
        }
        if (mailbox[at++] == ':') {
            return at;
        }
        if (at >= mailbox.size() || mailbox[at] != '@') {
            return fail(address_error::domain_syntax);
        }
    }
    return at;
}

}  // namespace

void address_parser::clear() noexcept {
    _out._size = _out._local_size = 0;
    _out._literal = false;
    _out._tagged = true;
}

// A parse that failed leaves nothing of itself behind.
status address_parser::mailbox(std::string_view text) noexcept {
    clear();
    status result = read_mailbox(text);
    if (!result) {
        clear();
    }
    return result;
}

status address_parser::domain(std::string_view text) noexcept {
    clear();
    status result = text.empty() ? fail(address_error::empty) : check_octets(text);
    if (result) {
        result = read_domain(text);
    }
    if (!result) {
        clear();
    }
    return result;
}

status address_parser::read_mailbox(std::string_view text) noexcept {
    if (auto checked = check_octets(text); !checked) {
        return checked;
    }
    if (!text.empty() && text.front() == '@') {
        const sized route = source_route(text, _out._text);
        if (!route) {
            return fail(route.error());
        }
        text.remove_prefix(*route);
    }
    if (text.empty()) {
        return fail(address_error::empty);
    }
    const sized read = text.front() == '"' ? quoted_local(text) : dot_local(text);
    if (!read) {
        return fail(read.error());
    }
    text.remove_prefix(*read);
    if (!text.empty()) {
        return read_domain(text.substr(1));
    }
    if (!_options.allow_bare_postmaster || std::string_view(_out._text.data(), _out._local_size) != "postmaster") {
        return fail(address_error::no_domain);
    }
    _out._size = _out._local_size;
    return {};
}

status address_parser::check_octets(std::string_view text) const noexcept {
    if (!grammar::has_eight_bit(text)) {
        return {};
    }
    if (!_options.allow_utf8) {
        return fail(address_error::not_ascii);
    }
    // Before any library sees it; what is longer can't have a normal form that fits.
    if (text.size() > 4 * normal_address::capacity) {
        return fail(address_error::too_long);
    }
    if (!unicode::is_utf8(text)) {
        return fail(address_error::not_utf8);
    }
    return {};
}

/// Reads up to the `@` (or the end) and gives the octets read.
sized address_parser::dot_local(std::string_view text) noexcept {
    const std::size_t most = std::min(text.size(), normal_address::capacity);
    bool atom = false;
    bool eight_bit = false;
    std::size_t i = 0;
    for (; i < most && text[i] != '@'; ++i) {
        const char c = text[i];
        if (grammar::is(c, grammar::atext)) {
            atom = true;
        } else if (c == '.' && atom) {
            atom = false;
        } else if (grammar::is(c, grammar::eight_bit)) {
            atom = eight_bit = true;
        } else {
            return fail(address_error::local_syntax);
        }
        _out._text[i] = grammar::lower(c);
    }
    if (i == normal_address::capacity) {
        return fail(address_error::too_long);
    }
    if (!atom) {
        return fail(address_error::local_syntax);
    }
    if (eight_bit) {
        return fold_local(text.substr(0, i), i);
    }
    _out._local_size = static_cast<std::uint16_t>(i);
    return i;
}

sized address_parser::quoted_local(std::string_view text) noexcept {
    std::array<char, normal_address::capacity> buffer;  // NOLINT: filled by unquote
    appender content(buffer);
    const std::size_t read = unquote(text, content);
    if (read == 0 || (read < text.size() && text[read] != '@')) {
        return fail(address_error::local_syntax);
    }
    const sized size = content.result();
    if (!size) {
        return size;
    }
    const std::string_view raw(buffer.data(), *size);
    if (grammar::has_eight_bit(raw)) {
        return fold_local(raw, read);
    }
    std::transform(raw.begin(), raw.end(), buffer.begin(), grammar::lower);
    return keep_local(raw, read);
}

sized address_parser::fold_local(std::string_view content, std::size_t read) noexcept {
    if (unicode::has_controls(content)) {
        return fail(address_error::local_syntax);
    }
    std::array<char, normal_address::capacity> folded;  // NOLINT: filled by fold
    const sized size = unicode::fold(content, folded);
    if (!size) {
        return size;
    }
    return keep_local({folded.data(), *size}, read);
}

sized address_parser::keep_local(std::string_view content, std::size_t read) noexcept {
    const sized size = put_content(content, std::span(_out._text));
    if (!size) {
        return size;
    }
    _out._local_size = static_cast<std::uint16_t>(*size);
    return read;
}

/// Writes `@domain` behind the local part.
status address_parser::read_domain(std::string_view text) noexcept {
    const std::size_t at = _out._local_size + 1U;
    if (at > normal_address::capacity) {
        return fail(address_error::too_long);
    }
    _out._text[_out._local_size] = '@';
    const sized size = put_domain(text, std::span(_out._text).subspan(at), _out._literal);
    if (!size) {
        return fail(size.error());
    }
    _out._size = static_cast<std::uint16_t>(at + *size);
    return {};
}

status parse_address(std::string_view mailbox, const address_options& options, normal_address& out) noexcept {
    if (address_parser::plain_mailbox(mailbox, out)) {
        return {};
    }
    return address_parser(options, out).mailbox(mailbox);
}

bool parse_plain_address(std::string_view mailbox, normal_address& out) noexcept {
    return address_parser::plain_mailbox(mailbox, out);
}

std::size_t parse_plain_address_before(char end, std::string_view text, normal_address& out) noexcept {
    return address_parser::plain_mailbox_before(end, text, out);
}

status parse_domain(std::string_view domain, normal_address& out) noexcept {
    const address_options options;
    return address_parser(options, out).domain(domain);
}

std::string_view to_string(address_error error) noexcept {
    switch (error) {
        case address_error::empty:
            return "the address is empty";
        case address_error::no_domain:
            return "the address has no domain";
        case address_error::local_syntax:
            return "the part before the @ is neither a dot-string nor a quoted string";
        case address_error::domain_syntax:
            return "the part after the @ is neither a host name nor an address literal";
        case address_error::domain_too_long:
            return "the domain is longer than 255 octets or one of its labels longer than 63";
        case address_error::too_long:
            return "the address is longer than 1024 octets";
        case address_error::not_utf8:
            return "the address is not valid UTF-8";
        case address_error::not_ascii:
            return "the address has characters outside ASCII where only ASCII is allowed";
        case address_error::bad_idn:
            return "the domain is no internationalised domain name that can be looked up";
    }
    return "unknown error";
}

}  // namespace postern::recipients
