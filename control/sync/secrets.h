// Secrets at rest: AES-256-GCM under a key in a file of control's state folder, so that a copy of the directory alone
// gives none away. A secret is bound to its place: moved to another row it does not open.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace postern::sync {

class secret_box {
public:
    /// Reads the key (32 octets in hexadecimal), or makes the file (mode 0600) with a fresh one. A file that others can
    /// read is refused.
    static tl::expected<secret_box, std::string> open(const std::string& path);
    ~secret_box();  ///< wipes the key
    secret_box(const secret_box&) = default;
    secret_box& operator=(const secret_box&) = default;

    /// Nonce (12 octets), ciphertext, tag (16). `place` names where it is kept ("sync_source:7:secret").
    tl::expected<std::vector<std::byte>, std::string> seal(std::string_view plain, std::string_view place) const;
    /// The error says what to do; it never has any of the content.
    tl::expected<std::string, std::string> open_sealed(std::span<const std::byte> sealed, std::string_view place) const;

private:
    static constexpr std::size_t key_size = 32;
    secret_box() = default;
    std::array<std::uint8_t, key_size> _key{};
};

}  // namespace postern::sync
