// Notices by webhook and e-mail, from a thread of their own: a sync never waits for one. Others give theirs to
// `service::tell`; the rest is private to this folder.
//
// A notice is tried up to five times with growing pauses; the queue is bounded, and what does not fit is dropped and
// counted. A webhook is a POST of JSON; with a secret it carries `Postern-Signature: t=UNIX,v1=HEX`, the HMAC-SHA-256
// of "UNIX.BODY". An e-mail is one plain text message to all of the source's addresses.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "control/sync/runs.h"
#include "control/sync/service.h"

namespace postern::sync {

struct notice {
    std::string event;   ///< "sync_changed", "sync_held", "sync_partial", "sync_failed", "sync_recovered", …
    std::string source;  ///< "ldap:NAME", "discovery:DOMAIN"
    std::uint32_t organisation = 0;
    std::uint64_t run = 0;  ///< 0: of none
    std::string text;       ///< in words
    run_counts counts;
    directory::timestamp at = 0;
};
std::string notice_json(const notice& what);
/// A whole message (RFC 5322) with CRLF line ends.
std::string notice_message(const notice& what, const mail_settings& mail, const std::vector<std::string>& to);
/// Value of `Postern-Signature` for this body.
std::string webhook_signature(const std::string& secret, std::int64_t unix_time, std::string_view body);

/// The two ways out; an error is a sentence. Both bounded in time (20 s) and in what they read.
tl::expected<void, std::string> post_webhook(const std::string& url, const std::string& body,
                                             const std::string& signature,
                                             const std::function<bool(const std::string&)>& may_reach);
tl::expected<void, std::string> send_mail(const mail_settings& mail, const std::vector<std::string>& to,
                                          const std::string& message);

class notifier {
public:
    explicit notifier(const service_options& options) : _options(options) {}
    ~notifier() { end(); }
    notifier(const notifier&) = delete;
    notifier& operator=(const notifier&) = delete;

    void start();
    void end();  ///< drops what is queued
    void tell(const notice& what, const notices& to, const std::string& webhook_secret);

    std::uint64_t sent() const noexcept { return _sent.load(); }
    std::uint64_t failed() const noexcept { return _failed.load(); }
    std::uint64_t dropped() const noexcept { return _dropped.load(); }

private:
    struct letter {
        notice what;
        bool mail = false;
        std::string url;
        std::string secret;
        std::vector<std::string> to;
        unsigned attempts = 0;
        std::chrono::steady_clock::time_point due;
    };
    void run();
    tl::expected<void, std::string> send(const letter& one) const;
    void put(letter one);

    const service_options& _options;
    std::mutex _mutex;
    std::condition_variable _changed;
    std::deque<letter> _queue;
    bool _stop = false;
    std::thread _thread;
    std::atomic<std::uint64_t> _sent{0};
    std::atomic<std::uint64_t> _failed{0};
    std::atomic<std::uint64_t> _dropped{0};
};

}  // namespace postern::sync
