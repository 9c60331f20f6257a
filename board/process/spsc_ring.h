// A bounded queue between two threads: one pushes, one pops, neither waits.
//
// Values are moved in and out. Each side works on a cache line of its own and looks at the other's index only when its
// copy of it says full (or empty), so a burst costs one shared line. A push happens before the pop that returns it.
//
// It lives here because both sides of the shards' seam need it: dataplane/shard for commands to shards and smtp/relay
// for its pair per shard and relay thread, and neither may include the other. The ring does not wake anybody: a
// producer that may meet a sleeper pushes, then calls shard::waker::wake(), whose fence pairs with the sleeper's own
// look at `empty()`.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace postern::process {

/// What two threads write apart is kept this far apart. A constant, for std::hardware_destructive_interference_size
/// differs between translation units of different tuning.
inline constexpr std::size_t cache_line = 64;

template <class T>
class spsc_ring {
    static_assert(std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T>);

public:
    /// Room for at least `least_capacity` values (rounded up to a power of two). The only allocation.
    explicit spsc_ring(std::size_t least_capacity)
        : _mask(std::bit_ceil(least_capacity < 1 ? std::size_t{1} : least_capacity) - 1),
          _cells(std::make_unique<cell[]>(_mask + 1)) {}

    spsc_ring(const spsc_ring&) = delete;
    spsc_ring& operator=(const spsc_ring&) = delete;

    /// Only when neither side uses the ring any more; values still inside are destroyed.
    ~spsc_ring() {
        while (front() != nullptr) {
            drop();
        }
    }

    std::size_t capacity() const noexcept { return _mask + 1; }

    /// Producer. False: full, and `value` is untouched.
    bool push(T&& value) noexcept { return emplace(std::move(value)); }
    bool push(const T& value)
        requires std::is_nothrow_copy_constructible_v<T>
    {
        return emplace(value);
    }

    /// Producer. Constructs in place; false: full, and the arguments are untouched.
    template <class... Arguments>
        requires std::is_nothrow_constructible_v<T, Arguments...>
    bool emplace(Arguments&&... arguments) noexcept {
        const std::size_t tail = _producer.index.load(std::memory_order_relaxed);
        if (tail - _producer.seen > _mask) {
            _producer.seen = _consumer.index.load(std::memory_order_acquire);
            if (tail - _producer.seen > _mask) {
                return false;
            }
        }
        ::new (static_cast<void*>(_cells[tail & _mask].octets)) T(std::forward<Arguments>(arguments)...);
        _producer.index.store(tail + 1, std::memory_order_release);
        return true;
    }

    /// Producer. How many pushes would succeed now (at least).
    std::size_t space() noexcept {
        _producer.seen = _consumer.index.load(std::memory_order_acquire);
        return _mask + 1 - (_producer.index.load(std::memory_order_relaxed) - _producer.seen);
    }

    /// Consumer. The oldest value, to be used in place until `drop()`, or nullptr.
    T* front() noexcept {
        const std::size_t head = _consumer.index.load(std::memory_order_relaxed);
        if (head == _consumer.seen) {
            _consumer.seen = _producer.index.load(std::memory_order_acquire);
            if (head == _consumer.seen) {
                return nullptr;
            }
        }
        return std::launder(reinterpret_cast<T*>(_cells[head & _mask].octets));
    }

    /// Consumer. Takes away what `front()` returned; only after it returned something.
    void drop() noexcept {
        const std::size_t head = _consumer.index.load(std::memory_order_relaxed);
        std::destroy_at(std::launder(reinterpret_cast<T*>(_cells[head & _mask].octets)));
        _consumer.index.store(head + 1, std::memory_order_release);
    }

    /// Consumer. False: empty, and `out` is untouched.
    bool pop(T& out) noexcept {
        T* const value = front();
        if (value == nullptr) {
            return false;
        }
        out = std::move(*value);
        drop();
        return true;
    }

    /// Any thread. Exact for the consumer in one direction: false stays false until it pops.
    bool empty() const noexcept { return size() == 0; }

    /// Any thread; a snapshot that may be old by the time it is read.
    std::size_t size() const noexcept {
        const std::size_t head = _consumer.index.load(std::memory_order_acquire);
        const std::size_t tail = _producer.index.load(std::memory_order_acquire);
        return tail - head;
    }

private:
    struct cell {
        alignas(T) std::byte octets[sizeof(T)];
    };
    struct alignas(cache_line) side {
        std::atomic<std::size_t> index{0};  ///< counts up for ever; the cell is `index & mask`
        std::size_t seen = 0;               ///< the other side's index as last read
    };

    const std::size_t _mask;
    const std::unique_ptr<cell[]> _cells;
    side _producer;
    side _consumer;
};

}  // namespace postern::process
