// Served domains as words of the command line: NAME[=SETTING[,SETTING…]].
//
//   example.com=enforce,mail.example.com:25,prvs    mode, host of the mail server, lookup by BATV's address
//   example.net=alias:example.com                   what example.com has
//
// Settings: observe discover defer enforce | HOST:PORT (more than once; in order of preference) | alias:NAME |
// delimiter:C | no-subaddress | grace-defers | no-abuse | prvs | srs | hold | trust:ADDRESS/LENGTH
#pragma once

#include <span>
#include <string>
#include <tl/expected.hpp>

#include "smtp/recipients/builder.h"
#include "smtp/recipients/tool/address_list.h"

namespace postern::recipients::tool {

/// Ids count from 1 in the order of the words, a route has its domain's id. `otherwise` is the mode where none is said.
tl::expected<domain_section, std::string> parse_domain_words(std::span<const std::string> words, mode otherwise);

/// The target that a name leads to.
served_domain find_domain(const domain_section& section, std::string_view name) noexcept;

}  // namespace postern::recipients::tool
