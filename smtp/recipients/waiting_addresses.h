// Addresses of one batch whose domains are still to be found, up to eight at a time. For lookup_batch.cc only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "smtp/recipients/address.h"
#include "smtp/recipients/domain_index.h"

namespace postern::recipients {

/// What is asked about, and which answer it is for.
struct asked_address {
    std::string_view text;  ///< `local@domain`
    std::size_t local_size;
    bool may_be_tagged;
    std::size_t lookup;

    std::string_view local() const noexcept { return text.substr(0, local_size); }
    std::string_view domain() const noexcept { return text.substr(local_size + 1); }
};

/// Addresses whose domains are still to be found, up to eight: where each is of another domain, the lines of their
/// settings are asked for side by side.
class waiting_addresses {
public:
    static constexpr std::size_t capacity = 8;

    std::size_t size() const noexcept { return _size; }
    bool full() const noexcept { return _size == capacity; }

    /// Precondition: !full().
    void add(const asked_address& address, const domain_index& in) noexcept {
        waiting& to = _waiting[_size];
        char* const kept = _octets[_size].data();
        std::memcpy(kept, address.text.data(), address.text.size());
        to.address = address;
        to.address.text = {kept, address.text.size()};
        to.hash = in.hash(to.address.domain());
        in.ask_for_place(to.hash);
        ++_size;
    }

    /// Calls `take` with each address and its domain's entry (null: not served), in the order of the adds. None waits
    /// afterwards.
    template <class Taker>
    void find_all(const domain_index& in, const Taker& take) noexcept {
        const std::span<waiting> all = std::span(_waiting).first(_size);
        for (const waiting& each : all) {
            in.ask_for_entry(each.hash);
        }
        for (waiting& each : all) {
            each.entry = in.find(each.address.domain(), each.hash);
            if (each.entry != nullptr) {
                domain_index::ask_for_settings(*each.entry);
            }
        }
        for (const waiting& each : all) {
            take(each.address, each.entry);
        }
        _size = 0;
    }

private:
    struct waiting {
        asked_address address;
        std::uint64_t hash;
        const domain_index::entry* entry;
    };
    std::array<waiting, capacity> _waiting;                                    // NOLINT: filled up to _size
    std::array<std::array<char, normal_address::capacity>, capacity> _octets;  // NOLINT: filled up to _size
    std::size_t _size = 0;
};

}  // namespace postern::recipients
