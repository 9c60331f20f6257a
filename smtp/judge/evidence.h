// Whether a message that the mail server accepted says anything of its recipient: discovery's rules of evidence.
// Pure functions. BATV: draft-levine-smtp-batv; SRS: the libsrs2 forms; VERP: the sender's `list+user=example.org`.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace postern::judge {

/// Why a message is no evidence.
enum class absence : std::uint8_t {
    null_sender,         ///< a bounce says nothing of who wants mail there
    several_recipients,  ///< and the server may refuse some of them only after DATA
    refused_recipient,   ///< the sender guesses, or keeps a stale list
    special_form,        ///< a sender or recipient that was made up for one message: BATV, SRS, VERP
};

struct circumstances {
    std::string_view sender;       ///< as the client gave it, without brackets
    std::string_view recipient;    ///< the same, of the one in question
    std::uint32_t accepted = 1;    ///< recipients of the transaction, by the mail server
    std::uint32_t refused = 0;     ///< the same, for good
    bool refuses_unknown = false;  ///< the server was seen to refuse unknown recipients of this domain at RCPT
};

/// Nothing: it is evidence for that recipient, if it is good mail.
std::optional<absence> why_no_evidence(const circumstances& of);

/// Whether a local part in normal form is one that software made of another address: `prvs=tag=user`,
/// `srs0=hash=tt=example.org=user`, `list-bounces+user=example.org`.
bool is_special_form(std::string_view local) noexcept;

}  // namespace postern::judge
