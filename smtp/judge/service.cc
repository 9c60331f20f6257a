#include "smtp/judge/service.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "smtp/judge/checks.h"
#include "smtp/judge/rspamd.h"
#include "smtp/judge/sender_key.h"

namespace postern::judge {
namespace {

using clock = std::chrono::steady_clock;

/// Findings that wait to be fetched, which happens ten times a second.
constexpr std::size_t most_found = 4'096;
constexpr std::chrono::milliseconds look_again{1'000};

}  // namespace

struct service::state {
    state(judge::settings own, const recipients::hash_key& key) : with(std::move(own)), senders(key) {}

    void run();
    /// What waits and can be judged now; waits for it if there is no rspamd to wait for.
    std::deque<message> take();
    void judge(message&& one);
    void answered(message&& of, rspamd::answer&& said);
    void conclude(const message& of, verdict&& said, std::string_view by);
    void keep(finding&& found);
    void alarm(std::string_view why);

    const judge::settings with;
    const recipients::hash_key senders;
    counters counts;
    std::atomic<std::uint32_t> places{0};
    std::mutex mutex;  ///< of the three below
    std::deque<message> waiting;
    std::deque<finding> found;
    bool stopping = false;
    std::condition_variable something;
    std::unique_ptr<judge::rspamd> scanner;
    bool silent = false;  ///< rspamd, at its last answer that was due
    clock::time_point alarm_at{};
    std::thread thread;
};

std::deque<message> service::state::take() {
    std::unique_lock hold(mutex);
    if (scanner == nullptr) {
        something.wait(hold, [this] { return stopping || !waiting.empty(); });
        return std::exchange(waiting, {});
    }
    std::deque<message> out;
    // Room is looked at once: what the checks alone decide leaves some unused until the next look.
    for (std::size_t room = scanner->room(); room > 0 && !waiting.empty() && !stopping; --room) {
        out.push_back(std::move(waiting.front()));
        waiting.pop_front();
    }
    return out;
}

void service::state::run() {
    while (true) {
        std::deque<message> next = take();
        {
            const std::lock_guard hold(mutex);
            if (stopping) {
                return;
            }
        }
        const bool idle = next.empty();
        while (!next.empty()) {
            judge(std::move(next.front()));
            next.pop_front();
        }
        if (scanner != nullptr) {
            scanner->work(idle ? look_again : std::chrono::milliseconds(0));
        }
    }
}

void service::state::judge(message&& one) {
    verdict own = check_header(one.content.octets());
    if (own.opinion == opinion::bad || scanner == nullptr) {
        conclude(one, std::move(own), "checks");
    } else {
        scanner->ask(std::move(one));
    }
}

void service::state::answered(message&& of, rspamd::answer&& said) {
    if (!said) {
        counts.unanswered.add();
        alarm(said.error());
        return;
    }
    if (std::exchange(silent, false) && with.alarm) {
        with.alarm({});
    }
    conclude(of, std::move(*said), "rspamd");
}

void service::state::alarm(std::string_view why) {
    const clock::time_point now = clock::now();
    if ((!std::exchange(silent, true) || now >= alarm_at) && with.alarm) {
        alarm_at = now + with.alarm_again_after;
        with.alarm(why);
    }
}

void service::state::conclude(const message& of, verdict&& said, std::string_view by) {
    switch (said.opinion) {
        case opinion::undecided:
            counts.undecided.add();
            return;
        case opinion::good:
            counts.good.add();
            break;
        case opinion::bad:
            counts.bad.add();
            break;
    }
    const std::uint64_t sender = hash_sender(senders, of.sender);
    for (const addressee& each : of.recipients) {
        keep({.what = said.opinion == opinion::good ? finding::kind::good_mail : finding::kind::bad_mail,
              .domain = each.domain,
              .peer = of.peer,
              .sender = sender,
              .recipient = each.path,
              .judged_by = by,
              .why = said.why});
    }
}

void service::state::keep(finding&& one) {
    const std::lock_guard hold(mutex);
    if (found.size() == most_found) {
        counts.lost.add();
        return;
    }
    found.push_back(std::move(one));
}

service::service(judge::settings settings, const recipients::hash_key& senders)
    : _state(std::make_unique<state>(std::move(settings), senders)) {}

service::~service() {
    stop();
}

tl::expected<void, std::string> service::start() {
    if (!_state->with.rspamd.empty()) {
        auto made = rspamd::make(_state->with, [one = _state.get()](message&& of, rspamd::answer&& said) {
            one->answered(std::move(of), std::move(said));
        });
        if (!made) {
            return tl::unexpected(std::move(made.error()));
        }
        _state->scanner = std::move(*made);
    }
    try {
        _state->thread = std::thread([one = _state.get()] { one->run(); });
    } catch (const std::system_error& failed) {
        return tl::unexpected(std::string("cannot start the judge's thread: ") + failed.what());
    }
    ::pthread_setname_np(_state->thread.native_handle(), "judge");
    return {};
}

void service::stop() {
    {
        const std::lock_guard hold(_state->mutex);
        _state->stopping = true;
    }
    _state->something.notify_one();
    if (_state->thread.joinable()) {
        if (_state->scanner) {
            _state->scanner->wake();
        }
        _state->thread.join();
    }
    const std::lock_guard hold(_state->mutex);
    _state->waiting.clear();
}

std::optional<bounded_copy> service::begin() {
    if (_state->places.fetch_add(1, std::memory_order_relaxed) >= _state->with.messages) {
        _state->places.fetch_sub(1, std::memory_order_relaxed);
        _state->counts.overflow.add();
        return std::nullopt;
    }
    return bounded_copy(place(_state->places), _state->with.copy);
}

void service::ask(message&& accepted) {
    _state->counts.asked.add();
    {
        const std::lock_guard hold(_state->mutex);
        if (_state->stopping) {
            return;
        }
        _state->waiting.push_back(std::move(accepted));
    }
    _state->something.notify_one();
    if (_state->scanner) {
        _state->scanner->wake();
    }
}

void service::tell(finding&& found) {
    _state->counts.listed_refused.add();
    _state->keep(std::move(found));
}

void service::no_evidence(absence why) noexcept {
    counters& counts = _state->counts;
    switch (why) {
        case absence::null_sender:
            counts.null_sender.add();
            break;
        case absence::several_recipients:
            counts.several_recipients.add();
            break;
        case absence::refused_recipient:
            counts.refused_recipient.add();
            break;
        case absence::special_form:
            counts.special_form.add();
            break;
    }
}

std::optional<finding> service::next() {
    const std::lock_guard hold(_state->mutex);
    if (_state->found.empty()) {
        return std::nullopt;
    }
    finding out = std::move(_state->found.front());
    _state->found.pop_front();
    return out;
}

const counters& service::counts() const noexcept {
    return _state->counts;
}

}  // namespace postern::judge
