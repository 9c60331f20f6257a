// Who is asking, by the token that came with the request.
#pragma once

#include <optional>
#include <string_view>

#include "control/api/message.h"
#include "control/api/problem.h"
#include "control/directory/store.h"

namespace postern::api {

/// 401 for a token that is not known, was revoked, or is not called `name`.
answer<caller> identify(const directory::reader& in, std::string_view secret,
                        std::optional<std::string_view> name = std::nullopt);

}  // namespace postern::api
