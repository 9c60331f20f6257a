// Quiescent-state based reclamation (RCU) for shards of every transport, over liburcu's QSBR flavour.
//
// A shard holds one `reader` and says `quiescent()` once a turn, when it keeps no pointer that it loaded; around a
// sleep it is `offline`. A writer, any other thread, publishes a pointer and `wait_for_readers()`; what was published
// before may then be destroyed. Loads and quiescent reports cost no shared write. ThreadSanitizer is told of the order
// that liburcu's own code, which is not instrumented, provides.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

namespace postern::shard {

/// Registers the calling thread as a reader, online, for the object's life. At most one for a thread, made, used and
/// destroyed on it.
class quiescent_reader {
public:
    quiescent_reader();
    ~quiescent_reader();
    quiescent_reader(const quiescent_reader&) = delete;
    quiescent_reader& operator=(const quiescent_reader&) = delete;

    /// No pointer loaded before is used any more.
    void quiescent() noexcept;
    /// As `quiescent`, and no writer waits for this thread until `online`. Nothing may be loaded in between.
    void offline() noexcept;
    void online() noexcept;
};

/// Returns when every reader that is online passed a quiescent state since the call. Blocks; not to be called by a
/// thread that is an online reader itself and still uses a pointer.
void wait_for_readers() noexcept;

/// Calls `destroy(what)` once every reader has passed a quiescent state since the call, on a thread of liburcu's. Does
/// not block, so that a reader may call it. Throws std::bad_alloc.
void retire(const void* what, void (*destroy)(const void*));

/// Returns when everything retired before is destroyed. Blocks; not to be called by a reader that is online.
void wait_for_retired() noexcept;

/// One pointer with one writer at a time and readers on any registered thread. Owns what it points at.
template <class T>
class published {
public:
    published() = default;
    explicit published(std::unique_ptr<const T> first) noexcept : _pointer(first.release()) {}
    published(const published&) = delete;
    published& operator=(const published&) = delete;
    /// When no reader can be left.
    ~published() { delete _pointer.load(std::memory_order_relaxed); }

    /// Reader: valid until the thread's next `quiescent()` or `offline()`. nullptr: nothing was published yet.
    const T* read() const noexcept { return _pointer.load(std::memory_order_acquire); }

    /// Writer: puts `next` in force, waits until no shard can hold the one before, and hands that back.
    std::unique_ptr<const T> publish(std::unique_ptr<const T> next) {
        std::unique_ptr<const T> old(_pointer.exchange(next.release(), std::memory_order_acq_rel));
        wait_for_readers();
        return old;
    }

    /// Writer: puts `next` in force and has the one before destroyed when no shard can hold it, without waiting. Who
    /// ends the process, or looks for leaks, calls `wait_for_retired` when the writer is done.
    void replace(std::unique_ptr<const T> next) {
        if (const T* const old = _pointer.exchange(next.release(), std::memory_order_acq_rel)) {
            retire(old, [](const void* what) { delete static_cast<const T*>(what); });
        }
    }

private:
    std::atomic<const T*> _pointer{nullptr};
};

}  // namespace postern::shard
