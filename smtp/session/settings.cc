#include "smtp/session/settings.h"

#include <array>
#include <string_view>
#include <utility>

#include "smtp/protocol/commands.h"

namespace postern::session {

namespace {

std::string out_of(std::string_view what, std::uint64_t value, std::uint64_t least, std::uint64_t most) {
    return std::string(what) + " is " + std::to_string(value) + ", but must be " + std::to_string(least) + " to " +
           std::to_string(most);
}

}  // namespace

std::optional<std::string> find_fault(const settings& of) {
    if (of.name.empty() || of.name.size() > protocol::longest_name) {
        return out_of("the length of the server's own name", of.name.size(), 1, protocol::longest_name);
    }
    if (of.command_line_limit < 512 || of.command_line_limit > 4096) {
        return out_of("the limit of a command line", of.command_line_limit, 512, 4096);
    }
    if (of.recipient_limit < 100) {
        return out_of("the limit of recipients", of.recipient_limit, 100, UINT32_MAX);
    }
    const std::array<std::pair<std::string_view, milliseconds>, 6> times{{
        {"the greeting timeout", of.timeouts.greeting},
        {"the command timeout", of.timeouts.command},
        {"the idle timeout", of.timeouts.idle},
        {"the data timeout", of.timeouts.data},
        {"the session timeout", of.timeouts.session},
        {"the relay timeout", of.timeouts.relay},
    }};
    for (const auto& [what, time] : times) {
        if (time <= milliseconds(0)) {
            return std::string(what) + " is not more than 0";
        }
    }
    if (of.timeouts.greeting_delay < milliseconds(0)) {
        return "the greeting delay is negative";
    }
    if (of.transactions == 0 || of.texts == 0) {
        return "the number of transactions and of kept texts must not be 0";
    }
    return std::nullopt;
}

}  // namespace postern::session
