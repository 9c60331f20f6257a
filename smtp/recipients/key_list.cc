#include "smtp/recipients/key_list.h"

#include <algorithm>
#include <new>
#include <utility>

namespace postern::recipients {
namespace {

/// Room for so many keys; throws as any other memory that is not there.
pages mapped(std::uint64_t keys, page_size size) {
    auto memory = pages::map(keys * sizeof(keyed_entry), size);
    if (!memory) {
        throw std::bad_alloc();
    }
    return *std::move(memory);
}

}  // namespace

domain_check::domain_check(const domain_section& section) {
    for (const domain_settings& domain : section.domains) {
        if (domain.target == domain.id) {
            _names.emplace(domain.id, domain.name);
        }
    }
}

tl::expected<void, std::string> domain_check::operator()(const listed_address& address) {
    if (_last_name == nullptr || _last_id != address.domain) {
        const auto found = _names.find(address.domain);
        if (found == _names.end()) {
            return tl::unexpected("address " + std::string(address.text) +
                                  ": no domain, or only a domain alias, has the id " + std::to_string(address.domain));
        }
        _last_id = address.domain;
        _last_name = &found->second;
    }
    const std::string_view text = address.text;
    const std::string& name = *_last_name;
    if (text.size() < name.size() + 2 || !text.ends_with(name) || text[text.size() - name.size() - 1] != '@' ||
        text.size() > max_hashed_text) {
        return tl::unexpected("address " + std::string(text) + " is not of its domain " + name);
    }
    if (static_cast<std::uint8_t>(address.kind) > static_cast<std::uint8_t>(mailbox_kind::unclassified)) {
        return tl::unexpected("address " + std::string(text) + " has the unknown kind " +
                              std::to_string(static_cast<unsigned>(address.kind)));
    }
    return {};
}

void key_list::add(std::string_view text, std::uint16_t payload) {
    _payloads[_pending.used()] = payload;
    _pending.add(text);
    if (_pending.full()) {
        flush();
    }
}

void key_list::flush() {
    const std::size_t used = _pending.used();
    if (used == 0) {
        return;
    }
    std::array<std::uint64_t, hash_lanes_count> hashes;  // NOLINT: filled by hash
    _pending.hash(_key, hashes.data());
    for (std::size_t i = 0; i < used; ++i, ++_size) {
        if (_size == _blocks.size() * block_keys) {
            add_block();
        }
        *_next++ = {hashes[i], _payloads[i]};
    }
}

void key_list::add_block() {
    // The first is hardly filled by an overlay's few.
    _blocks.push_back(mapped(block_keys, _blocks.empty() ? page_size::normal : page_size::huge_unreserved));
    _next = reinterpret_cast<keyed_entry*>(_blocks.back().writable().data());
}

std::span<const keyed_entry> key_list::block(std::size_t number) const noexcept {
    return {reinterpret_cast<const keyed_entry*>(_blocks[number].octets().data()),
            std::min<std::uint64_t>(block_keys, _size - number * block_keys)};
}

sorted_keys key_list::sort(const placement& where, std::uint64_t partitions) {
    const auto partition_of = [&where](const keyed_entry& entry) {
        return where.bucket_of(entry.hash) >> where.bucket_shift;
    };
    std::vector<std::uint64_t> ends(partitions + 1, 0);
    for (std::size_t b = 0; b < _blocks.size(); ++b) {
        for (const keyed_entry& entry : block(b)) {
            ++ends[partition_of(entry) + 1];
        }
    }
    for (std::uint64_t p = 1; p <= partitions; ++p) {
        ends[p] += ends[p - 1];
    }
    // From here ends[p] is where partition p's next key goes; in the end that is where the partition ends.
    sorted_keys sorted;
    sorted.memory = mapped(_size, page_size::huge_unreserved);
    auto* const entries = reinterpret_cast<keyed_entry*>(sorted.memory.writable().data());
    for (std::size_t b = 0; b < _blocks.size(); ++b) {
        for (const keyed_entry& entry : block(b)) {
            entries[ends[partition_of(entry)]++] = entry;
        }
        _blocks[b] = pages();
    }
    ends.pop_back();
    sorted.ends = std::move(ends);
    _blocks.clear();
    _size = 0;
    return sorted;
}

}  // namespace postern::recipients
