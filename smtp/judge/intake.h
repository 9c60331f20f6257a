// The judge as relay threads see it: the one interface of the judgement whether mail is good.
//
// While content of a message that may be evidence passes, its first octets are kept (`begin`); once the mail server has
// accepted the message and the client has its answer, the copy is given away (`ask`). Nothing waits for a verdict: it
// comes out at the other end as a finding (finding.h).
#pragma once

#include <optional>

#include "smtp/judge/evidence.h"
#include "smtp/judge/finding.h"
#include "smtp/judge/message.h"

namespace postern::judge {

/// Any thread. None of these block, or wait for more than a moment's lock.
class intake {
public:
    virtual ~intake() = default;

    /// For the content of a message that begins; nothing: every place is taken, so nothing is learned of it (counted).
    virtual std::optional<bounded_copy> begin() = 0;
    /// Judges a message that the mail server has accepted.
    virtual void ask(message&& accepted) = 0;
    /// Tells what the mail server said of a listed recipient.
    virtual void tell(finding&& found) = 0;
    /// Counts a message that is not even looked at.
    virtual void no_evidence(absence why) noexcept = 0;
};

}  // namespace postern::judge
