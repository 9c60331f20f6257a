// A shard's side of the relay: `port` over cells, chunks and one ring pair per relay thread (lane.h).
//
// Everything is on the shard's thread and in memory allocated at construction. What goes beyond a transaction's bounds
// waits here (recipients) or is refused in order (452 4.5.3 for more than fit); what is over is forgotten as soon as
// the relay thread has confirmed it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "smtp/relay/counters.h"
#include "smtp/relay/lane.h"
#include "smtp/relay/port.h"

namespace postern::relay {

class shard_port final : public port {
public:
    /// Recipients of one transaction that may wait for their answers; more are 452 4.5.3.
    static constexpr std::uint32_t most_recipients_waiting = 256;

    /// `lanes` and `wakers`: one per relay thread; all outlive the port. `closed`: nothing new is begun once it is set.
    shard_port(shard_memory& memory, std::vector<lane*> lanes, std::vector<thread_waker*> wakers, counters& counts,
               const std::atomic<bool>& closed);
    ~shard_port() override;

    bool begin(transaction_id id, const std::shared_ptr<const recipients::route>& route,
               const relay::envelope& envelope) override;
    void recipient(transaction_id id, std::string_view path, const list_word& word) override;
    void data(transaction_id id) override;
    std::size_t room(transaction_id id) const override;
    std::size_t chunk(transaction_id id, std::span<const char> octets) override;
    void end_of_data(transaction_id id) override;
    void abandon(transaction_id id) override;
    bool next_event(event& out) override;
    bool idle() const override;
    void flush() override;

    /// Cells and chunks that are in use, for tests and `show sessions`.
    std::uint32_t cells_in_use() const noexcept;
    std::uint32_t chunks_in_use() const noexcept;

private:
    struct transaction;
    static constexpr std::uint32_t none = UINT32_MAX;

    /// Transactions linked through one of two fields, first in first out.
    struct list {
        std::uint32_t first = none;
        std::uint32_t last = none;
    };

    transaction* find(transaction_id id) const noexcept;
    std::uint32_t& bucket(std::uint32_t slot) const noexcept;
    void forget(std::uint32_t cell) noexcept;
    void send(std::uint32_t cell, to_relay message) noexcept;
    void send_waiting_recipients(std::uint32_t cell) noexcept;
    void send_fill(std::uint32_t cell) noexcept;
    bool take_chunk(std::uint32_t cell) noexcept;
    void give_chunk(std::uint32_t number) noexcept;
    void send_data(std::uint32_t cell) noexcept;
    void tell_chunk_waiters(std::size_t most) noexcept;
    void wait_for_chunk(std::uint32_t cell) const noexcept;
    void close(std::uint32_t cell, bool abandoned) noexcept;
    void mark_local(std::uint32_t cell) noexcept;
    bool local_event(event& out) noexcept;
    bool take(const to_shard& message, event& out) noexcept;

    shard_memory& _memory;
    std::vector<lane*> _lanes;
    std::vector<thread_waker*> _wakers;
    counters& _counts;
    const std::atomic<bool>& _closed;

    std::unique_ptr<transaction[]> _transactions;
    std::vector<std::uint32_t> _free_cells;
    std::vector<std::uint32_t> _free_chunks;
    mutable std::vector<std::uint32_t>
        _buckets;             ///< session slot -> cell, chained through `transaction::next_in_bucket`
    std::vector<bool> _told;  ///< relay threads that have news since the last flush
    mutable list _chunk_waiters;
    list _local;  ///< transactions with something to say that no relay thread says
    list _fills;  ///< transactions with a partly filled chunk
    std::size_t _next_lane = 0;
};

}  // namespace postern::relay
