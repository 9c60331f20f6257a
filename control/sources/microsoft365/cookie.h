// Where a fetch ended, as text that only the next fetch reads: the delta links' paths, and what they are bound to. Text
// of another version or not of ours is no cookie: the next fetch is whole.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postern::sources::microsoft365 {

struct delta_cookie {
    std::string fingerprint;             ///< of the settings
    std::int64_t whole_at = 0;           ///< when the last whole fetch was, seconds since 1970
    std::array<std::string, 2> targets;  ///< by collection: path and query (links.h); the groups' is empty without them
    friend bool operator==(const delta_cookie&, const delta_cookie&) = default;
};
std::string encode(const delta_cookie& from);
std::optional<delta_cookie> decode_cookie(std::string_view text);

}  // namespace postern::sources::microsoft365
