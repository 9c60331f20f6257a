// What a judge says of a message.
#pragma once

#include <cstdint>
#include <string>

namespace postern::judge {

enum class opinion : std::uint8_t { good, bad, undecided };

struct verdict {
    judge::opinion opinion = judge::opinion::good;
    std::string why;  ///< short words for people, printable ASCII; empty: nothing to say
};

}  // namespace postern::judge
