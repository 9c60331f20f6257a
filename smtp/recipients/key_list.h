// The hashes and payloads of a list of addresses, gathered by one pass over the list and sorted into partitions.
//
// Hashing goes eight at a time. 16 octets a key, on 2 MiB pages if they are many; memory is given back block by block
// while it is sorted.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "smtp/recipients/builder.h"
#include "smtp/recipients/pages.h"
#include "smtp/recipients/placer.h"
#include "smtp/recipients/siphash.h"
#include "smtp/recipients/text_lanes.h"

namespace postern::recipients {

/// Checks that an address's domain is one of a section's and that its text is of that domain.
class domain_check {
public:
    explicit domain_check(const domain_section& section);
    /// The error names the address.
    tl::expected<void, std::string> operator()(const listed_address& address);

private:
    std::unordered_map<std::uint32_t, std::string> _names;
    std::uint32_t _last_id = 0;
    const std::string* _last_name = nullptr;
};

struct sorted_keys {
    pages memory;
    std::vector<std::uint64_t> ends;  ///< where each partition ends
    std::span<const keyed_entry> all() const noexcept {
        return {reinterpret_cast<const keyed_entry*>(memory.octets().data()), ends.back()};
    }
};

class key_list {
public:
    explicit key_list(const hash_key& key) : _key(key) {}

    /// Precondition: text.size() <= max_hashed_text.
    void add(std::string_view text, std::uint16_t payload);
    /// After the last `add`.
    void finish() { flush(); }
    std::uint64_t size() const noexcept { return _size; }

    /// Sorts into partitions; the list is empty afterwards.
    sorted_keys sort(const placement& where, std::uint64_t partitions);

private:
    static constexpr std::size_t block_keys = (std::size_t{2} << 20U) / sizeof(keyed_entry);

    void flush();
    void add_block();
    std::span<const keyed_entry> block(std::size_t number) const noexcept;

    hash_key _key;
    text_lanes _pending;
    std::array<std::uint16_t, hash_lanes_count> _payloads{};
    std::vector<pages> _blocks;
    keyed_entry* _next = nullptr;  ///< in the last block, where the next goes
    std::uint64_t _size = 0;       ///< hashed
};

}  // namespace postern::recipients
