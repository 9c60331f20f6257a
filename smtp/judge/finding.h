// What the mail server and the judge had to say of one recipient, on its way to the edge's events
// (docs/edge-socket.md, `events`): evidence for and against an address.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace postern::judge {

struct finding {
    enum class kind : std::uint8_t {
        good_mail,       ///< to an unlisted recipient of a domain in `discover`; accepted whole, judged good
        bad_mail,        ///< the same, judged bad
        listed_refused,  ///< the mail server says 5.1.1 of a listed recipient
    };

    finding::kind what = kind::good_mail;
    std::uint32_t domain = 0;  ///< its stable id; of a domain alias its target's
    std::array<std::uint8_t, 16> peer{};
    std::uint64_t sender = 0;         ///< keyed hash of the sender's normal form; 0: there is none
    std::string recipient = {};       ///< as the client gave it
    std::string_view judged_by = {};  ///< "checks", "rspamd"; empty: nobody. Of static life
    std::string why = {};             ///< printable ASCII, at most `longest_why`; empty: nothing to say

    static constexpr std::size_t longest_why = 200;
};

}  // namespace postern::judge
