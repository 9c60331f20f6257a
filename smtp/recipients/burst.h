// Lookups of a burst of texts in one table, in two steps: `prepare` asks memory for all that they need and waits for
// nothing, `resolve` compares. Between them another burst may be prepared, so that lines are on their way all the time.
//
// This is the table by itself; snapshot.h has what the edge asks: domains, other forms, an overlay.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace postern::recipients {

class table;

/// Not thread-safe; several may be under way in one thread.
class lookup_burst {
public:
    static constexpr std::size_t capacity = 64;

    /// Hashes the texts (at most `capacity`, of at most `max_hashed_text` octets) and asks for pilots and lines. The
    /// texts need not outlive the call, the table must outlive `resolve`. What was prepared before is forgotten.
    /// `before`, another burst that was prepared earlier, is compared while the pilots come; null: none.
    void prepare(const table& in, std::span<const std::string_view> texts, lookup_burst* before = nullptr) noexcept;

    /// For each text in its order the payload (line.h), or `no_payload` or more if it is not listed. Valid until the
    /// next `prepare`.
    std::span<const std::uint32_t> resolve() noexcept;

private:
    /// Those before number `end` that were not yet.
    void compare(std::size_t end) noexcept;

    const table* _in = nullptr;
    std::size_t _size = 0;
    std::size_t _compared = 0;
    alignas(64) std::array<std::uint64_t, capacity> _hashes{};
    alignas(64) std::array<std::uint64_t, capacity> _places{};  ///< buckets, then lines
    std::array<std::uint32_t, capacity> _payloads;              // NOLINT: filled by `compare`
};

}  // namespace postern::recipients
