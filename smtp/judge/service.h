// The judge of a whole edge: one thread that judges what the relay threads give it, and keeps what was found until the
// edge's control thread fetches it.
//
// Construct, hand it to the relay as its `intake`, `start`. The built-in checks come first, then rspamd where it is
// configured. A message that can't be judged (no place, no answer, no opinion) is no evidence: it is counted, no more.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "smtp/judge/counters.h"
#include "smtp/judge/intake.h"
#include "smtp/judge/settings.h"
#include "smtp/recipients/siphash.h"

namespace postern::judge {

class service final : public intake {
public:
    /// `senders`: the key under which they are hashed.
    service(judge::settings settings, const recipients::hash_key& senders);
    ~service() override;  ///< stops
    service(const service&) = delete;
    service& operator=(const service&) = delete;

    /// Starts the thread. The error names what the system refused.
    tl::expected<void, std::string> start();
    /// Gives up what is being judged. May be called again; relay threads may still speak to it afterwards.
    void stop();

    std::optional<bounded_copy> begin() override;
    void ask(message&& accepted) override;
    void tell(finding&& found) override;
    void no_evidence(absence why) noexcept override;

    /// The oldest finding that was not fetched yet. One thread at a time.
    std::optional<finding> next();
    const counters& counts() const noexcept;

private:
    struct state;
    std::unique_ptr<state> _state;
};

}  // namespace postern::judge
