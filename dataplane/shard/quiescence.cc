#include "dataplane/shard/quiescence.h"

#include <urcu/urcu-qsbr.h>

#include <atomic>
#include <cstdint>
#include <memory>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define POSTERN_THREAD_SANITIZER 1
#endif
#endif

#ifdef POSTERN_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#endif

namespace postern::shard {
namespace {

// Every report of a reader happens before the end of every grace period that had to wait for it. One address for all
// readers says a little more than that, which hides nothing: only what readers did before a report is ordered.
struct retired {
    rcu_head head;  // first: liburcu gives this one back
    const void* what;
    void (*destroy)(const void*);
};

// Objects that were to be destroyed, and that are. (liburcu's own barrier looks like a race to ThreadSanitizer.)
std::atomic<std::uint64_t> given{0};
std::atomic<std::uint64_t> gone{0};

#ifdef POSTERN_THREAD_SANITIZER
char passed;
void say_passed() noexcept {
    __tsan_release(&passed);
}
void see_passed() noexcept {
    __tsan_acquire(&passed);
}
#else
void say_passed() noexcept {}
void see_passed() noexcept {}
#endif

static_assert(std::is_standard_layout_v<retired>);

}  // namespace

quiescent_reader::quiescent_reader() {
    urcu_qsbr_register_thread();
}

quiescent_reader::~quiescent_reader() {
    say_passed();
    urcu_qsbr_unregister_thread();
}

void quiescent_reader::quiescent() noexcept {
    say_passed();
    urcu_qsbr_quiescent_state();
}

void quiescent_reader::offline() noexcept {
    say_passed();
    urcu_qsbr_thread_offline();
}

void quiescent_reader::online() noexcept {
    urcu_qsbr_thread_online();
}

void wait_for_readers() noexcept {
    urcu_qsbr_synchronize_rcu();
    see_passed();
}

void retire(const void* what, void (*destroy)(const void*)) {
    auto entry = std::make_unique<retired>(retired{{}, what, destroy});
    given.fetch_add(1, std::memory_order_relaxed);
    say_passed();
    urcu_qsbr_call_rcu(&entry.release()->head, [](rcu_head* head) {
        see_passed();
        const std::unique_ptr<retired> mine(reinterpret_cast<retired*>(head));
        mine->destroy(mine->what);
        gone.fetch_add(1, std::memory_order_release);
        gone.notify_all();
    });
}

void wait_for_retired() noexcept {
    const std::uint64_t all = given.load(std::memory_order_relaxed);
    for (std::uint64_t n = gone.load(std::memory_order_acquire); n < all; n = gone.load(std::memory_order_acquire)) {
        gone.wait(n, std::memory_order_acquire);
    }
}

}  // namespace postern::shard
