#include "smtp/recipients/siphash.h"

#include <sys/random.h>

#include <array>
#include <bit>

#include "smtp/recipients/cpu.h"
#include "smtp/recipients/octets.h"
#include "smtp/recipients/siphash_variants.h"

namespace postern::recipients {
namespace {

struct sip_state {
    std::uint64_t v0, v1, v2, v3;

    explicit sip_state(const hash_key& key) noexcept
        : v0(sip_start[0] ^ key.k0), v1(sip_start[1] ^ key.k1), v2(sip_start[2] ^ key.k0), v3(sip_start[3] ^ key.k1) {}

    void round() noexcept {
        v0 += v1;
        v2 += v3;
        v1 = std::rotl(v1, 13) ^ v0;
        v3 = std::rotl(v3, 16) ^ v2;
        v0 = std::rotl(v0, 32);
        v2 += v1;
        v0 += v3;
        v1 = std::rotl(v1, 17) ^ v2;
        v3 = std::rotl(v3, 21) ^ v0;
        v2 = std::rotl(v2, 32);
    }
    void take(std::uint64_t word) noexcept {
        v3 ^= word;
        round();
        v0 ^= word;
    }
    std::uint64_t finish() noexcept {
        v2 ^= 0xFF;
        round();
        round();
        round();
        return v0 ^ v1 ^ v2 ^ v3;
    }
};

void hash_plain(const hash_key& key, const std::string_view* texts, std::size_t used, std::uint64_t* out) {
    for (std::size_t i = 0; i < used; ++i) {
        out[i] = siphash13(key, texts[i]);
    }
}

struct variant_list {
    std::array<hash_variant, 3> items{hash_variant{"plain", hash_plain}};
    std::size_t count = 1;

    variant_list() noexcept {
#if defined(__x86_64__)
        if (has_avx2()) {
            items[count++] = {"avx2", hash_avx2};
        }
        if (has_avx512()) {
            items[count++] = {"avx512", hash_avx512};
        }
#endif
    }
};

const variant_list& variants() noexcept {
    static const variant_list list;
    return list;
}

/// Chosen before main; code that runs earlier still gets an answer from the plain one.
hash_function chosen = hash_plain;
[[maybe_unused]] const bool was_chosen = [] {
    chosen = variants().items[variants().count - 1].hash;
    return true;
}();

}  // namespace

bool draw_key(hash_key& out) noexcept {
    return ::getrandom(&out, sizeof out, 0) == static_cast<ssize_t>(sizeof out);
}

std::uint64_t siphash13(const hash_key& key, std::string_view text) noexcept {
    sip_state state(key);
    const char* at = text.data();
    std::size_t left = text.size();
    for (; left >= 8; left -= 8, at += 8) {
        state.take(load_le<std::uint64_t>(at));
    }
    state.take(last_word(text));
    return state.finish();
}

std::span<const hash_variant> hash_variants() noexcept {
    return {variants().items.data(), variants().count};
}

void hash_texts(const hash_key& key, const std::string_view* texts, std::size_t used, std::uint64_t* out) noexcept {
    (used <= 2 ? hash_plain : chosen)(key, texts, used, out);
}

}  // namespace postern::recipients
