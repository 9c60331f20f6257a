// How long to wait before a request is made again: what the server says (Retry-After, RFC 9110 10.2.3), else longer
// each time.
#pragma once

#include <chrono>
#include <optional>

namespace postern::sources::microsoft365 {

inline constexpr unsigned most_tries = 8;                    ///< of one request, in a row
inline constexpr std::chrono::seconds longest_pause{600};    ///< a server that asks for more gets the next sync
inline constexpr std::chrono::seconds longest_back_off{60};  ///< where it says nothing

/// `tries`: how many went wrong so far, 1 or more. `random`: 0 to 1, so that many clients don't come back at once.
/// Nothing: not in this fetch.
std::optional<std::chrono::milliseconds> pause_before_retry(unsigned tries,
                                                            std::optional<std::chrono::seconds> retry_after,
                                                            double random);

}  // namespace postern::sources::microsoft365
