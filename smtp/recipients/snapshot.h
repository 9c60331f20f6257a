// What the edge decides from: {base, overlay, domains} of one moment behind one pointer, and batched lookups in it.
//
// A snapshot is immutable. A shard takes the pointer in force at the start of a turn and drops it at the end; QSBR
// frees the old one. A lookup is `add`ed (hashed, lines prefetched) while a turn's octets are parsed and `resolve`d at
// its end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "smtp/recipients/address.h"
#include "smtp/recipients/domains.h"

namespace postern::recipients {

class table;         // table.h: one loaded file
class domain_index;  // domain_index.h: name -> settings, routes by id

/// Immutable; owned by the edge's table holder and freed after every shard was quiescent.
struct snapshot {
    std::uint64_t generation = 0;                 ///< the number of the commit that made it
    std::shared_ptr<const table> base;            ///< never null
    std::shared_ptr<const table> overlay;         ///< null if there is none
    std::shared_ptr<const domain_index> domains;  ///< of the overlay if it carries domains, else of the base
};

enum class standing : std::uint8_t {
    listed,
    unlisted,
    not_served,  ///< the domain is not in the table
    always,      ///< postmaster or abuse: never refused
};

/// The answer to one lookup. `domain` and `route` point into the snapshot: use them within the turn only.
struct verdict {
    recipients::standing standing = recipients::standing::not_served;
    mailbox_kind kind = mailbox_kind::user;
    bool grace = false;
    bool internal_only = false;
    const domain_settings* domain = nullptr;  ///< null if not served; a domain alias's own entry resolved to its target
    const std::shared_ptr<const recipients::route>* route =
        nullptr;  ///< null if the domain has none; copy the pointer to keep the route
    std::uint64_t generation = 0;
};

/// The lookups of one turn of one shard. Not thread-safe; holds up to `capacity` lookups; reuses its memory.
class lookup_batch {
public:
    static constexpr std::size_t capacity = 256;

    lookup_batch();
    ~lookup_batch();
    lookup_batch(lookup_batch&&) noexcept;
    lookup_batch& operator=(lookup_batch&&) noexcept;

    std::size_t size() const noexcept { return _size; }
    bool full() const noexcept { return size() == capacity; }

    /// Hashes every form under which the address may be listed (exact, without subaddress, without prvs tag),
    /// prefetches, and remembers `cookie`. All adds between two `resolve`s must be with the same snapshot.
    /// Precondition: !full().
    void add(const snapshot& in, const normal_address& address, std::uint64_t cookie) noexcept;

    struct answer {
        std::uint64_t cookie = 0;
        recipients::verdict verdict;
    };
    /// Answers in the order of the adds; valid until the next `add`. Empties the batch.
    std::span<const answer> resolve() noexcept;

private:
    struct state;
    std::unique_ptr<state> _state;
    std::size_t _size = 0;
};

/// One lookup at once, for tools and tests.
verdict look_up(const snapshot& in, const normal_address& address);

}  // namespace postern::recipients
