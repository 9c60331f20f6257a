// The domains section of a table file: settings of every served domain and the routes, as records.
//
// A record is its type (1 octet: 1 route, 2 domain), the length of its fields (varint) and the fields in the order of
// domains.h; numbers are varints (7 bits an octet, low first, no needless octets), a string is its length and octets, a
// network its 16 octets and length. Routes stand before domains. One format version has one set of fields.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "smtp/recipients/domains.h"

namespace postern::recipients {

struct domain_section;

/// What both sides promise of a section: ids not 0 and given once, names in normal form and given once, an alias's
/// target there and no alias itself, routes there, values within bounds. The error names the domain or route.
tl::expected<void, std::string> check_domains(const domain_section& section);

/// Precondition: check_domains(section).
std::string encode_domains(const domain_section& section);

/// Any octets: a section that passes `check_domains`, or what is wrong at which octet.
tl::expected<domain_section, std::string> decode_domains(std::span<const std::byte> octets);

}  // namespace postern::recipients
