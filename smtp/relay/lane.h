// What a shard and the relay threads share: transaction cells, chunks of content, and a ring pair per relay thread.
//
// A cell is one transaction's common memory: the shard writes texts into it before the message that names them, the
// relay thread writes replies into it before the event that names them; the rings order both. The cell is the
// transaction's until the relay thread has said `closed`, the last word about it, so nothing stale can reach the next
// one. Each message below is in flight at most so often per cell, so the rings hold the sum and can't overflow.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <tuple>
#include <type_traits>

#include "board/process/spsc_ring.h"
#include "dataplane/shard/seam.h"
#include "smtp/recipients/domains.h"
#include "smtp/relay/port.h"

namespace postern::relay {

inline constexpr std::size_t chunk_octets = 16 * 1024;
inline constexpr std::uint32_t credits_per_transaction = 4;
inline constexpr std::uint32_t recipients_in_flight = 8;  ///< sent to the relay thread and not yet answered
inline constexpr std::size_t cell_text_octets = 12 * 1024;

enum class command : std::uint8_t {
    begin,
    recipient,  ///< `at`: in the cell's text, a `recipient_text` and its path
    data,
    chunk,  ///< `at`: the chunk's number, `size` its octets
    end,
    close,  ///< the shard's last word; `flag`: abandoned, else in answer to the transaction's end
};

/// How a recipient stands in a cell's text, unaligned; its path is behind it.
struct recipient_text {
    list_word word;
    std::uint16_t size = 0;  ///< of the path
};
static_assert(std::is_trivially_copyable_v<recipient_text>);

struct to_relay {
    relay::command command = command::begin;
    bool flag = false;
    std::uint16_t size = 0;
    std::uint32_t cell = 0;
    std::uint32_t at = 0;
};

enum class news : std::uint8_t {
    recipient,  ///< `at`: which of the cell's recipient replies
    data,       ///< `data_reply`
    credit,     ///< `at`: the chunk that is free again
    final,      ///< `end_reply`; the transaction is over
    aborted,    ///< `end_reply`; the transaction is over
    closed,     ///< in answer to `close`: the cell is the shard's again
};

struct to_shard {
    relay::news news = news::recipient;
    std::uint32_t cell = 0;
    std::uint32_t at = 0;
};

inline constexpr std::size_t commands_per_cell = 1 + recipients_in_flight + 1 + credits_per_transaction + 1 + 1;
inline constexpr std::size_t news_per_cell = recipients_in_flight + 1 + credits_per_transaction + 1 + 1;
static_assert(commands_per_cell == 16 && news_per_cell == 15, "the rings' sizes follow from the messages' bounds");

/// A reply in common memory; only the first `size` octets are set.
struct reply_slot {
    std::uint16_t code;
    std::uint16_t size;
    std::array<char, std::tuple_size_v<decltype(reply::text)>> text;

    void put(const reply& from) noexcept;
    void get(reply& to) const noexcept;
};

/// One transaction's common memory: what `begin` says.
struct cell {
    transaction_id id;
    std::shared_ptr<const recipients::route> route;  ///< reset by the shard after `closed`
    shard::endpoint client;
    std::uint64_t declared_size = 0;
    body_type body = body_type::unspecified;
    bool extended = true;
    /// At the text's start: reverse path, helo, message id.
    std::uint16_t reverse_path_size = 0;
    std::uint16_t helo_size = 0;
    std::uint16_t message_id_size = 0;
};

/// The same transaction's texts: the shard's at first, then the relay thread's. Apart, so that unused ones cost no
/// memory.
struct cell_texts {
    std::array<char, cell_text_octets> from_shard;
    std::array<reply_slot, recipients_in_flight> recipient_replies;
    reply_slot data_reply;
    reply_slot end_reply;
};
static_assert(std::is_trivially_default_constructible_v<cell_texts>);

struct chunk {
    std::array<char, chunk_octets> octets;
};

/// A shard's cells and chunks, allocated once and touched only when used.
struct shard_memory {
    shard_memory(std::uint32_t transactions, std::uint32_t chunks_of_all)
        : cells(std::make_unique<cell[]>(transactions)),
          texts(std::make_unique_for_overwrite<cell_texts[]>(transactions)),
          chunks(std::make_unique_for_overwrite<chunk[]>(chunks_of_all)),
          cell_count(transactions),
          chunk_count(chunks_of_all) {}

    std::unique_ptr<cell[]> cells;
    std::unique_ptr<cell_texts[]> texts;
    std::unique_ptr<chunk[]> chunks;
    std::uint32_t cell_count;
    std::uint32_t chunk_count;
};

/// The ring pair of one shard and one relay thread.
struct lane {
    explicit lane(shard_memory& shared)
        : memory(shared), commands(shared.cell_count * commands_per_cell), events(shared.cell_count * news_per_cell) {}

    shard_memory& memory;
    process::spsc_ring<to_relay> commands;
    process::spsc_ring<to_shard> events;
};

inline void reply_slot::put(const reply& from) noexcept {
    code = from.code;
    size = from.size;
    std::copy_n(from.text.data(), from.size, text.data());
}

inline void reply_slot::get(reply& to) const noexcept {
    to.code = code;
    to.size = size;
    std::copy_n(text.data(), size, to.text.data());
}

/// How a shard wakes a relay thread that may sleep.
class thread_waker {
public:
    virtual void wake() noexcept = 0;

protected:
    ~thread_waker() = default;
};

}  // namespace postern::relay
