// What one message's address is evidence for. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/directory/store.h"
#include "smtp/recipients/domains.h"

namespace postern::discovery {

/// For which local part a message counts.
struct subject {
    std::string local;    ///< normal form; of a tagged address its base
    bool tagged = false;  ///< the server was only seen to take it with a subaddress
};
/// Nothing for what can't be discovered: postmaster and abuse (they always pass), and forms with `=` in them (BATV,
/// SRS, VERP). `address` is whole, in normal form.
std::optional<subject> subject_of(std::string_view address, const recipients::domain_settings& domain);

/// Times of the last good messages, oldest first; at most `most_times` are kept.
class message_times {
public:
    static constexpr std::size_t most_times = 20;
    message_times() = default;
    /// As `text` gave it.
    explicit message_times(std::string_view kept);

    void add(directory::timestamp at);
    /// How many are not older than `since`.
    std::size_t count(directory::timestamp since) const;
    std::string text() const;

private:
    std::vector<directory::timestamp> _times;
};

}  // namespace postern::discovery
