// rspamd over HTTP (POST /checkv2), several messages at once over connections that stay open, on libcurl.
//
// `ask` begins, `work` waits and lets them go on; each ends with an answer or with why there is none, within the
// settings' timeout. No redirect is followed, nothing of the environment's proxies is used.
// https://docs.rspamd.com/developers/protocol/
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "smtp/judge/message.h"
#include "smtp/judge/settings.h"
#include "smtp/judge/verdict.h"

namespace postern::judge {

/// The URL as it is asked: http or https, a host, and the path /checkv2 where `text` has none. The error says what is
/// wrong with it and what to write.
tl::expected<std::string, std::string> rspamd_url(const std::string& text);

/// One thread's, but for `wake`.
class rspamd {
public:
    static constexpr std::size_t most_at_once = 8;

    /// `done` gets each message back with what became of it, from within `work`.
    using answer = tl::expected<verdict, std::string>;
    using sink = std::function<void(message&& of, answer&& said)>;

    /// `settings` outlives it. The error: libcurl has no memory.
    static tl::expected<std::unique_ptr<rspamd>, std::string> make(const settings& settings, sink done);
    ~rspamd();  ///< gives up what was asked
    rspamd(const rspamd&) = delete;
    rspamd& operator=(const rspamd&) = delete;

    /// How many more it would take now.
    std::size_t room() const noexcept;
    /// Precondition: `room` for it.
    void ask(message&& of);
    /// Until something happened, `wake` was called or `most` is over.
    void work(std::chrono::milliseconds most);
    /// Any thread: ends a `work` that waits, or the next one.
    void wake() noexcept;

private:
    struct state;
    explicit rspamd(std::unique_ptr<state> made);
    std::unique_ptr<state> _state;
};

}  // namespace postern::judge
