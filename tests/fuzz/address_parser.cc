// Addresses: whatever comes, no crash; what is taken lies within its bounds, has the same normal form when it is parsed
// again, and the fast way says what the plain one says. The first octet chooses the options.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "smtp/recipients/address.h"
#include "smtp/recipients/address_parser.h"
#include "smtp/recipients/forms.h"

namespace {

using namespace postern::recipients;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void require_same(const normal_address& a, const normal_address& b) {
    require(a.text() == b.text() && a.local() == b.local() && a.domain() == b.domain());
    require(a.is_literal() == b.is_literal() && a.is_bare_postmaster() == b.is_bare_postmaster());
}

void check_mailbox(std::string_view text, const address_options& options) {
    static normal_address plain;
    static normal_address fast;
    static normal_address again;
    const auto parsed = address_parser(options, plain).mailbox(text);
    if (address_parser::plain_mailbox(text, fast)) {
        require(parsed.has_value());
        require_same(plain, fast);
    }
    require(parse_address(text, options, fast).has_value() == parsed.has_value());
    if (!parsed) {
        require(plain.text().empty() && fast.text().empty());
        require(!to_string(parsed.error()).empty());
        return;
    }
    require_same(plain, fast);
    require(!plain.local().empty() && plain.text().size() <= normal_address::capacity);
    require(plain.is_bare_postmaster() || plain.local().size() + 1 + plain.domain().size() == plain.text().size());
    require(plain.domain().size() <= 255);
    for (const char c : plain.domain()) {
        require(static_cast<unsigned char>(c) > ' ' && static_cast<unsigned char>(c) < 0x7F && !(c >= 'A' && c <= 'Z'));
    }
    for (const char c : plain.local()) {
        require(static_cast<unsigned char>(c) >= ' ' && c != 0x7F && !(c >= 'A' && c <= 'Z'));
    }
    require(parse_address(plain.text(), options, again).has_value());
    require_same(plain, again);

    domain_settings settings;
    settings.strip_prvs = settings.accept_srs = true;
    local_forms forms;
    other_forms(plain.local(), settings, forms);
    require(forms.count < max_forms);
    for (std::size_t i = 0; i < forms.count; ++i) {
        require(!forms.locals[i].empty() && forms.locals[i].size() < plain.local().size());
    }
    is_srs(plain.local());
}

void check_domain(std::string_view text) {
    static normal_address once;
    static normal_address again;
    if (parse_domain(text, once)) {
        require(!once.domain().empty() && once.local().empty());
        require(parse_domain(once.domain(), again).has_value());
        require_same(once, again);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const address_options options{.allow_utf8 = (data[0] & 1U) == 0, .allow_bare_postmaster = (data[0] & 2U) == 0};
    // Its own memory, so that reading past the end is seen.
    const std::string text(data + 1, data + size);
    check_mailbox(text, options);
    check_domain(text);
    return 0;
}
