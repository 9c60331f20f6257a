// Host names to addresses without waiting: a few helper threads call getaddrinfo, answers are kept for a while and
// longer if the name service fails. Shared by the relay threads; one slow name keeps only its own askers waiting.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/shard/seam.h"
#include "smtp/relay/settings.h"

namespace postern::relay {

/// What a name came to: addresses with port 0, in order of preference, or why there are none.
struct resolved {
    std::vector<shard::endpoint> addresses;
    std::string error;
};

/// Looks one name up and waits for it, as getaddrinfo does. Any thread.
resolved look_up_name(const std::string& host);

/// An address written out ("192.0.2.1", "2001:db8::1", both also in brackets); false: it is a name.
bool parse_literal(std::string host, shard::endpoint& out);

class resolver {
public:
    using clock = std::function<shard::instant()>;
    using lookup = std::function<resolved(const std::string& host)>;

    /// `now` and `look_up` are called on any thread, possibly after the resolver is gone.
    resolver(milliseconds kept, milliseconds stale_kept, clock now, lookup look_up = look_up_name);
    ~resolver();  ///< forgets what was asked; a look-up that still runs ends by itself
    resolver(const resolver&) = delete;
    resolver& operator=(const resolver&) = delete;

    /// `done` is called once: at once if the answer is known, else on a helper thread; never after destruction began.
    void resolve(const std::string& host, std::function<void(const resolved&)> done);

private:
    struct state;
    std::shared_ptr<state> _state;
};

}  // namespace postern::relay
