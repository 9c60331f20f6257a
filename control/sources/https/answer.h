// What came of a request over HTTPS: an answer, or why there is none.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "control/sources/failure.h"

namespace postern::sources::https {

struct answer {
    unsigned status = 0;  ///< 0: none came, see `why`
    std::string body;
    std::optional<std::chrono::seconds> retry_after;
    failure why;
    bool may_pass = false;  ///< what `why` says may be otherwise in a while
};

}  // namespace postern::sources::https
