// libldap's handle of one connection, and what ends it in time. Private to connection*.cc.
#pragma once

#include <fcntl.h>
#include <ldap.h>
#include <sys/socket.h>

#include <condition_variable>
#include <limits>
#include <mutex>
#include <thread>

#include "board/process/files.h"
#include "control/sources/ldap/connection.h"

namespace postern::sources::ldap {

inline constexpr long slice_us = 100'000;  ///< how long a `stop` may stay unseen

/// Ends whatever libldap does on a socket (a handshake, half a message) at a time or at `stop`, by shutting it down.
class watchdog {
public:
    watchdog(int socket, const std::atomic<bool>& stop)
        : _socket(::fcntl(socket, F_DUPFD_CLOEXEC, 0)), _stop(stop), _thread([this] { watch(); }) {}
    ~watchdog() {
        {
            const std::lock_guard lock(_mutex);
            _ended = true;
        }
        _wake.notify_all();
        _thread.join();
    }
    watchdog(const watchdog&) = delete;
    watchdog& operator=(const watchdog&) = delete;

    void allow_until(clock::time_point until) { _until.store(until.time_since_epoch().count()); }
    bool barked() const noexcept { return _barked.load(); }

private:
    void watch() {
        std::unique_lock lock(_mutex);
        while (!_wake.wait_for(lock, std::chrono::microseconds(slice_us), [this] { return _ended; })) {
            const bool late = clock::now().time_since_epoch().count() > _until.load();
            if (late || _stop.load(std::memory_order_relaxed)) {
                _barked.store(true);
                ::shutdown(_socket.get(), SHUT_RDWR);
                return;
            }
        }
    }

    process::descriptor _socket;
    const std::atomic<bool>& _stop;
    std::atomic<clock::rep> _until{std::numeric_limits<clock::rep>::max()};
    std::atomic<bool> _barked{false};
    std::mutex _mutex;
    std::condition_variable _wake;
    bool _ended = false;
    std::thread _thread;
};

struct message_free {
    void operator()(LDAPMessage* one) const noexcept { ::ldap_msgfree(one); }
};
using message = std::unique_ptr<LDAPMessage, message_free>;

inline std::string text_of(const berval& from) {
    return {from.bv_val == nullptr ? "" : from.bv_val, from.bv_len};
}

inline std::string take_text(char* text) {
    std::string out = text == nullptr ? "" : text;
    ::ldap_memfree(text);
    return out;
}

struct connection::handle {
    LDAP* ld = nullptr;
    std::unique_ptr<watchdog> guard;

    handle() = default;
    handle(const handle&) = delete;
    handle& operator=(const handle&) = delete;
    ~handle() {
        if (ld != nullptr) {
            if (guard) {
                // What is left to say (abandon, unbind) must not wait for a server that does not read.
                guard->allow_until(clock::now() + std::chrono::seconds(1));
            }
            ::ldap_unbind_ext(ld, nullptr, nullptr);
        }
        guard.reset();
    }

    int error() const {
        int code = 0;
        ::ldap_get_option(ld, LDAP_OPT_RESULT_CODE, &code);
        return code;
    }
    std::string diagnostic() const {
        char* text = nullptr;
        ::ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text);
        return take_text(text);
    }

    /// The next message of a request. `until`: nothing by then is a failure.
    result<message> next(int id, clock::time_point until, const patience& limits, const char* step) const {
        guard->allow_until(until);
        while (true) {
            timeval slice{0, slice_us};
            LDAPMessage* got = nullptr;
            const int type = ::ldap_result(ld, id, LDAP_MSG_ONE, &slice, &got);
            message owned(got);
            if (limits.is_stopped()) {
                return stopped();
            }
            if (type > 0) {
                return owned;
            }
            if (clock::now() >= until || guard->barked()) {
                return fail(step,
                            "the server did not answer in time; see whether it is overloaded, or raise the "
                            "timeout");
            }
            if (type < 0) {
                return fail(step, "the connection was cut: " + std::string(::ldap_err2string(error())) +
                                      "; see the server's log");
            }
            if (until == clock::time_point::max()) {
                return message();  // nothing yet, and there is no hurry
            }
        }
    }
};

}  // namespace postern::sources::ldap
