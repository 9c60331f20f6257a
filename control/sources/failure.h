// Why a fetch failed and how long it may take: what every protocol's fetcher says in the same way.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

#include "control/sources/fetch.h"

namespace postern::sources {

using clock = std::chrono::steady_clock;

struct failure {
    enum fetch_outcome::end end = fetch_outcome::end::failed;
    std::string step;
    std::string reason;     ///< in words, with what to do
    bool elsewhere = true;  ///< another server may do better; false for a wrong password (accounts get locked)
};
template <class T>
using result = tl::expected<T, failure>;

inline tl::unexpected<failure> fail(std::string step, std::string reason, bool elsewhere = true) {
    return tl::unexpected<failure>(failure{fetch_outcome::end::failed, std::move(step), std::move(reason), elsewhere});
}
inline tl::unexpected<failure> stopped() {
    return tl::unexpected<failure>(failure{fetch_outcome::end::stopped, "", "stopped", false});
}

/// A failure after something was read is `partial`. The cookie is the request's: nothing of this fetch counts, so the
/// next one begins where this one did.
inline void set_failure(fetch_outcome& out, const failure& why, const fetch_request& request) {
    out.end = why.end;
    if (out.end == fetch_outcome::end::failed && out.read != 0) {
        out.end = fetch_outcome::end::partial;
    }
    out.step = why.step;
    out.reason = why.reason;
    out.cookie = request.cookie;
}

/// How long a caller is ready to wait.
struct patience {
    const std::atomic<bool>& stop;
    clock::time_point until;  ///< of all

    bool is_stopped() const noexcept { return stop.load(std::memory_order_relaxed); }
    clock::time_point at_most(std::uint32_t seconds) const {
        return std::min(until, clock::now() + std::chrono::seconds(seconds));
    }
};

/// Whether a connection to this address (text, "192.0.2.1") is allowed; empty: every one is. Asked after the name was
/// resolved, so that a name can't lead round it.
using egress_policy = std::function<bool(std::string_view address)>;

}  // namespace postern::sources
