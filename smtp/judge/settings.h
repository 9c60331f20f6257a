// What the judge is told at start. Defaults are those of edge.toml, [judge].
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace postern::judge {

struct settings {
    std::string rspamd = {};  ///< URL of its /checkv2 (`rspamd_url`); empty: the built-in checks alone
    std::chrono::milliseconds timeout = std::chrono::seconds(10);  ///< rspamd's answer, all in all
    std::size_t copy = std::size_t{256} * 1024;                    ///< octets of a message that are kept
    std::uint32_t messages = 64;  ///< that are copied, wait or are judged at a time; of one more nothing is learned
    std::chrono::milliseconds alarm_again_after = std::chrono::seconds(60);
    /// rspamd does not answer as it should: why, once in a while; empty: it does again. Called on the judge's thread.
    std::function<void(std::string_view why)> alarm = {};
};

}  // namespace postern::judge
