#include "smtp/recipients/siphash.h"

#include <sys/random.h>

#include <bit>
#include <cstring>

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

/// The word that ends a text: what is left of it (under 8 octets, at `rest`) and its length.
std::uint64_t last_word(std::string_view text, std::size_t left) noexcept {
    std::uint64_t word = 0;
    if (text.size() >= 8) {
        // The last eight octets in one load, less those that were taken before. Nothing left: shift out all of them.
        word = (load_le<std::uint64_t>(text.data() + text.size() - 8) >> (7 - left) * 8U) >> 8U;
    } else {
        std::memcpy(&word, text.data(), left);
    }
    return word | (static_cast<std::uint64_t>(text.size()) << 56U);
}

void hash_plain(const hash_key& key, const hash_block& block, std::size_t used, std::uint64_t* out) {
    for (std::size_t lane = 0; lane < used; ++lane) {
        sip_state state(key);
        for (std::size_t w = 0; w < block.counts[lane]; ++w) {
            state.take(block.words[w][lane]);
        }
        out[lane] = state.finish();
    }
}

struct variant_list {
    std::array<hash_variant, 3> items{hash_variant{"plain", hash_plain}};
    std::size_t count = 1;

    variant_list() noexcept {
#if defined(__x86_64__)
        if (__builtin_cpu_supports("avx2")) {
            items[count++] = {"avx2", hash_avx2};
        }
        if (__builtin_cpu_supports("avx512f")) {
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
    state.take(last_word(text, left));
    return state.finish();
}

void hash_block::set(std::size_t lane, std::string_view text) noexcept {
    const char* at = text.data();
    std::size_t left = text.size();
    std::size_t w = 0;
    for (; left >= 8; left -= 8, at += 8) {
        words[w++][lane] = load_le<std::uint64_t>(at);
    }
    words[w++][lane] = last_word(text, left);
    counts[lane] = w;
}

std::span<const hash_variant> hash_variants() noexcept {
    return {variants().items.data(), variants().count};
}

void hash_lanes(const hash_key& key, const hash_block& block, std::size_t used, std::uint64_t* out) noexcept {
    (used <= 2 ? hash_plain : chosen)(key, block, used, out);
}

}  // namespace postern::recipients
