// The seam's operations over kernel sockets, for one shard: connections, their buffers, deadlines and limits.
//
// `shard_loop` drives it: begin_turn, then callbacks as `next` and `next_deadline` name them, then end_turn. Readiness
// comes from an epoll set of the shard's own; octets are moved by one non-blocking recv and one send per connection and
// turn. A recv fills one buffer of the shard; only what the session layer leaves unconsumed is copied into a borrowed
// block, and replies borrow one until they are sent, so an idle connection holds no buffer.
//
// Bounds, each with a counter: slots (over: reset unseen), blocks lent (over: replies wait; a connection whose
// unconsumed octets find no block is reset), unsent octets of a connection (over: `reserve` is empty and its octets are
// left to the kernel), octets and time of a connection that is ending. Allocation happens when a new high mark of
// connections or blocks is reached, not per connection or per octet.
#pragma once

#include <sys/epoll.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/shard/block_pool.h"
#include "dataplane/shard/callbacks.h"
#include "dataplane/shard/connection_limits.h"
#include "dataplane/shard/eventfd_waker.h"
#include "dataplane/shard/seam.h"
#include "dataplane/shard/timer_wheel.h"
#include "dataplane/sockets/counters.h"
#include "dataplane/sockets/listeners.h"
#include "dataplane/sockets/ready_set.h"

namespace postern::sockets {

/// CLOCK_MONOTONIC.
shard::instant steady_clock_now() noexcept;

struct options {
    /// Connections the shard holds at most: admitted ones, those being refused and those that end. The kernel may give
    /// one shard all of a listener's connections, so this is the sum of the listeners' limits and some to refuse with.
    std::uint32_t connections = 16 * 1024;
    /// Octets of blocks lent at most, for unconsumed input and unsent output.
    std::size_t buffers = std::size_t{64} * 1024 * 1024;
    /// Blocks of unsent replies a connection may hold, in octets; at least two of the largest are always allowed.
    std::size_t output_limit = std::size_t{64} * 1024;
    /// After `finish`: how long the peer may take the last replies, then how long and how much it may still send.
    shard::instant unsent_time = std::chrono::seconds(30);
    shard::instant linger_time = std::chrono::seconds(3);
    std::size_t linger_octets = std::size_t{256} * 1024;
    /// How long accepting stops when descriptors or memory are out.
    shard::instant accept_pause = std::chrono::milliseconds(100);
    /// Where time comes from; a test's own is as good.
    shard::instant (*clock)() noexcept = steady_clock_now;
};

class operations {
public:
    static constexpr std::size_t max_reserve = shard::block_pool::large_room;
    /// The most octets one `readable` offers, and so the most that a connection may leave unconsumed.
    static constexpr std::size_t window = shard::block_pool::large_room;

    /// `limits` outlives the shard. Throws std::system_error if the kernel gives no epoll set.
    operations(shard_listeners listeners, shard::connection_limits& limits, const options& o = {});
    ~operations();
    operations(const operations&) = delete;
    operations& operator=(const operations&) = delete;

    // The seam, for the session layer. Calls for a connection that is gone do nothing and are counted.

    std::span<char> reserve(shard::connection c, std::size_t n) noexcept;
    void commit(shard::connection c, std::size_t n) noexcept;
    void want_read(shard::connection c, bool yes) noexcept;
    void set_deadline(shard::connection c, shard::instant when) noexcept;
    void finish(shard::connection c) noexcept;
    void finish_silent(shard::connection c) noexcept;
    void abort(shard::connection c) noexcept;
    const shard::connection_info& info(shard::connection c) const noexcept;
    shard::instant now() const noexcept { return _now; }

    // For other threads.

    shard::waker& waker() noexcept { return _waker; }
    const counters& counts() const noexcept { return _counts; }

    // The loop's side.

    using callback = shard::callback;
    using step = shard::step;

    /// Reads the clock, accepts, asks the kernel what is ready if no sleep just did.
    void begin_turn();
    /// Once a turn, behind the layer's batched work: whether the layer asked for octets again that it had left, so that
    /// `next` offers them now. What waited for the turn's lookups is answered by the same send.
    bool offer_left();
    /// The next callback of this turn; `none` ends it.
    step next();
    shard::admission admission_of(shard::connection c) const noexcept;
    /// What the step `readable` offers, and then what the layer said it consumed of it.
    std::span<const char> offered() const noexcept { return _offered; }
    void consumed(shard::connection c, std::size_t n) noexcept;
    /// The next connection whose deadline has come. False: none.
    bool next_deadline(shard::connection& out);
    /// Sends what was committed, ends what was finished.
    void end_turn();

    /// Nothing is to be done before the kernel, a timer or another thread says so.
    bool may_sleep() const noexcept;
    /// Sleeps, at most until the next timer or `until`, and not at all if something is ready. Between
    /// `waker_state().announce()` and `.woken()`.
    void sleep(shard::instant until);
    shard::eventfd_waker& waker_state() noexcept { return _waker; }

    /// Connections that hold a socket, whether the layer still knows them or not.
    std::size_t open_sockets() const noexcept { return _open; }
    /// Octets of blocks lent to connections.
    std::size_t buffered() const noexcept { return _pool.lent(); }

private:
    using block = shard::block_pool::block;
    struct socket_state;

    socket_state& at(std::uint32_t slot) noexcept;
    const socket_state& at(std::uint32_t slot) const noexcept;
    /// The connection if the layer may still speak of it, else nullptr.
    socket_state* find(shard::connection c) noexcept;
    socket_state* find_counted(shard::connection c) noexcept;

    /// What accepting one connection came to.
    enum class accepted : std::uint8_t { one, none_left, paused };

    void look(shard::instant most);
    void note(const epoll_event& event);
    bool accept_some();
    accepted accept_one(std::uint32_t listener);
    void pause_accepting(bool yes) noexcept;
    void refuse_unseen(int fd) noexcept;
    void end(shard::connection c, bool silent) noexcept;
    void queue(socket_state& s) noexcept;
    bool wants_service(const socket_state& s) const noexcept;
    step advance(socket_state& s);
    bool receive(socket_state& s) noexcept;
    void discard(socket_state& s) noexcept;
    void offer_held(socket_state& s) noexcept;
    void keep(socket_state& s, std::span<const char> rest) noexcept;
    bool has_room(const socket_state& s, std::size_t n) const noexcept;
    void wait_for_room(socket_state& s) noexcept;
    void mark_unsent(socket_state& s) noexcept;
    void flush(socket_state& s) noexcept;
    /// One send of all blocks. False: the connection is broken.
    bool send(socket_state& s) noexcept;
    void give_back_output(socket_state& s) noexcept;
    void give_back_input(socket_state& s) noexcept;
    void begin_linger(socket_state& s) noexcept;
    void close(socket_state& s, bool with_reset) noexcept;

    static constexpr std::uint32_t chunk_size = 256;

    options _options;
    shard::connection_limits& _limits;
    shard_listeners _listeners;
    shard::eventfd_waker _waker;
    ready_set _set;
    shard::timer_wheel _wheel;
    shard::block_pool _pool;
    counters _counts;

    shard::instant _now;
    shard::instant _accept_after = shard::never;  ///< when accepting goes on; `never`: it is not paused
    unsigned _accept_share = 1;                   ///< connections taken at a time
    std::size_t _open = 0;
    bool _looked = false;  ///< a sleep asked what is ready, and no turn has begun since

    std::vector<std::unique_ptr<socket_state[]>> _chunks;  ///< of chunk_size slots, never moved
    std::vector<std::uint32_t> _free;
    std::uint32_t _slots = 0;

    std::vector<std::uint32_t> _ready;  ///< slots to serve in the next turn
    std::vector<std::uint32_t> _batch;  ///< slots of this turn, from _batch_at on
    std::size_t _batch_at = 0;
    std::vector<std::uint32_t> _unsent;   ///< slots to flush at the end of the turn
    std::vector<std::uint32_t> _starved;  ///< slots whose reserve found no block in the pool
    std::span<const char> _offered;
    block* _offered_block = nullptr;   ///< what `_offered` is in, if not `_scratch`; lives until `consumed`
    std::unique_ptr<char[]> _scratch;  ///< `window` octets
};

static_assert(shard::transport<operations>);

}  // namespace postern::sockets
