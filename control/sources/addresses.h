// What an object's values say of its addresses, by the rules that Exchange writes them by, whatever directory they
// stand in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/sources/fetch.h"

namespace postern::sources {

/// Takes values in the order of their weight and makes an entry's addresses of them.
class address_collector {
public:
    /// "ada@example.com", "smtp:a@example.com" (an alias), "SMTP:ada@example.com" (the primary); a value with another
    /// prefix ("x400:", "sip:") is no mail address and is skipped.
    void take(std::string_view value);

    enum class outcome : std::uint8_t {
        entry,     ///< `to` has its addresses
        none,      ///< there is none that can be used
        excluded,  ///< the primary one is
    };
    /// `exclude`: patterns (glob.h); a primary address that matches leaves out the object, an alias itself alone.
    /// Primary is the first that was called so; without one, the first. The collector is empty afterwards.
    outcome finish(const std::vector<std::string>& exclude, directory_entry& to);

    /// Values that stood for an address and are none.
    std::uint64_t unreadable() const noexcept { return _unreadable; }

private:
    std::vector<std::string> _found;
    std::optional<std::size_t> _primary;
    std::uint64_t _unreadable = 0;
};

}  // namespace postern::sources
