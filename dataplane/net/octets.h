// Numbers in the order of the wire (big endian), and a writer that can't run over its end.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace postern::net {

using octets = std::span<const std::uint8_t>;

constexpr std::uint16_t read16(const std::uint8_t* at) noexcept {
    return static_cast<std::uint16_t>(at[0] << 8U | at[1]);
}
constexpr std::uint32_t read32(const std::uint8_t* at) noexcept {
    return static_cast<std::uint32_t>(read16(at)) << 16U | read16(at + 2);
}
/// The six octets of an Ethernet address, as one number. Precondition: two more are behind them.
constexpr std::uint64_t read48(const std::uint8_t* at) noexcept {
    return (static_cast<std::uint64_t>(read32(at)) << 32U | read32(at + 4)) >> 16U;
}
constexpr void write16(std::uint8_t* at, std::uint16_t value) noexcept {
    at[0] = static_cast<std::uint8_t>(value >> 8U);
    at[1] = static_cast<std::uint8_t>(value);
}
constexpr void write32(std::uint8_t* at, std::uint32_t value) noexcept {
    write16(at, static_cast<std::uint16_t>(value >> 16U));
    write16(at + 2, static_cast<std::uint16_t>(value));
}
inline void write64(std::uint8_t* at, std::uint64_t value) noexcept {
    static_assert(std::endian::native == std::endian::little);
    value = __builtin_bswap64(value);
    std::memcpy(at, &value, sizeof value);
}

/// Puts octets one behind the other. What does not fit is left out, and `size` then is 0.
class writer {
public:
    explicit writer(std::span<std::uint8_t> into) noexcept : _into(into) {}

    writer& put8(std::uint8_t value) noexcept { return put({&value, 1}); }
    writer& put16(std::uint16_t value) noexcept {
        std::uint8_t both[2];  // NOLINT: the wire's form
        write16(both, value);
        return put(both);
    }
    writer& put32(std::uint32_t value) noexcept {
        return put16(static_cast<std::uint16_t>(value >> 16U)).put16(static_cast<std::uint16_t>(value));
    }
    writer& put(octets some) noexcept {
        if (some.size() > _into.size() - _used) {
            _full = true;
        } else if (!some.empty()) {
            std::memcpy(_into.data() + _used, some.data(), some.size());
            _used += some.size();
        }
        return *this;
    }
    writer& zeros(std::size_t n) noexcept {
        for (; n > 0; --n) {
            put8(0);
        }
        return *this;
    }

    /// What was written, 0 if something did not fit.
    std::size_t size() const noexcept { return _full ? 0 : _used; }
    std::uint8_t* at(std::size_t offset) noexcept { return _into.data() + offset; }
    std::span<std::uint8_t> from(std::size_t offset) noexcept { return _into.subspan(offset, _used - offset); }

private:
    std::span<std::uint8_t> _into;
    std::size_t _used = 0;
    bool _full = false;
};

}  // namespace postern::net
