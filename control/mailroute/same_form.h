// The normal form in which Postern keeps names, so that a filter finds them by any spelling.
#pragma once

#include <string>
#include <string_view>

namespace postern::mailroute {

/// Of a domain's name; as it is if it is none.
std::string same_domain(std::string_view name);
/// Of a local part; as it is if it is none.
std::string same_local_part(std::string_view local);

}  // namespace postern::mailroute
