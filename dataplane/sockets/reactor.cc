#include "dataplane/sockets/reactor.h"

#include <algorithm>
#include <array>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <cstddef>
#include <new>
#include <optional>

namespace postern::sockets {
namespace {

namespace asio = boost::asio;

/// Memory for the one wait that a watch has outstanding, so that waiting allocates nothing.
class wait_memory {
public:
    void* take(std::size_t n) {
        if (n <= _octets.size() && !_taken) {
            _taken = true;
            return _octets.data();
        }
        return ::operator new(n);
    }
    void give_back(void* p) noexcept {
        if (p == _octets.data()) {
            _taken = false;
        } else {
            ::operator delete(p);
        }
    }

private:
    alignas(std::max_align_t) std::array<std::byte, 256> _octets;
    bool _taken = false;
};

template <class T>
struct wait_allocator {
    using value_type = T;
    explicit wait_allocator(wait_memory& m) noexcept : memory(&m) {}
    template <class U>
    wait_allocator(const wait_allocator<U>& other) noexcept : memory(other.memory) {}
    T* allocate(std::size_t n) { return static_cast<T*>(memory->take(n * sizeof(T))); }
    void deallocate(T* p, std::size_t) noexcept { memory->give_back(p); }
    template <class U>
    bool operator==(const wait_allocator<U>& other) const noexcept {
        return memory == other.memory;
    }
    wait_memory* memory;
};

}  // namespace

struct reactor::watches {
    /// One descriptor and the wait for it to be readable; not copied or moved, for the memory is in it.
    struct watch {
        watch(asio::io_context& io, int fd) : descriptor(io, fd) {}
        watch(const watch&) = delete;
        watch& operator=(const watch&) = delete;

        template <class F>
        void arm(F then) {
            if (armed) {
                return;
            }
            armed = true;
            descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                  asio::bind_allocator(wait_allocator<std::byte>(memory),
                                                       [this, then](const boost::system::error_code& error) {
                                                           armed = false;
                                                           if (!error) {
                                                               then();
                                                           }
                                                       }));
        }

        wait_memory memory;
        asio::posix::stream_descriptor descriptor;
        bool armed = false;
    };

    watches(shard::eventfd_waker& w, int connection_set)
        : waker(w), bell(io, w.descriptor()), connections(io, connection_set) {}

    /// The aborted waits give their memory back before it goes.
    ~watches() {
        bell.descriptor.release();
        connections.descriptor.release();
        for (const auto& l : listeners) {
            l->descriptor.release();
        }
        io.poll();
    }

    void arm_bell() {
        bell.arm([this] {
            waker.hush();
            arm_bell();
        });
    }

    asio::io_context io{1};  // one thread: no locks
    shard::eventfd_waker& waker;
    watch bell;
    watch connections;
    std::vector<std::unique_ptr<watch>> listeners;
};

reactor::reactor(std::span<const int> listeners, shard::eventfd_waker& waker, int connections)
    : _watches(std::make_unique<watches>(waker, connections)) {
    _acceptable.reserve(listeners.size());
    _watches->arm_bell();
    for (const int fd : listeners) {
        _watches->listeners.push_back(std::make_unique<watches::watch>(_watches->io, fd));
    }
    for (std::uint32_t i = 0; i < listeners.size(); ++i) {
        _watches->listeners[i]->arm([this, i] { _acceptable.push_back(i); });
    }
}

reactor::~reactor() = default;

void reactor::poll() {
    _watches->io.poll();
}

void reactor::sleep(shard::instant most) {
    _watches->connections.arm([] {});
    // Asio waits in milliseconds and rounds down: what is left of one is slept by the next turn.
    const auto wait = std::max(most, shard::instant(std::chrono::milliseconds(1)));
    if (most == shard::never) {
        _watches->io.run_one();
    } else {
        _watches->io.run_one_for(wait);
    }
}

void reactor::drained(std::uint32_t listener) {
    std::erase(_acceptable, listener);
    _watches->listeners[listener]->arm([this, listener] { _acceptable.push_back(listener); });
}

}  // namespace postern::sockets
