// SipHash-1-3 in the eight lanes of one register: siphash_avx512.h.
#include "smtp/recipients/siphash_avx512.h"

#if defined(__x86_64__)
namespace postern::recipients {

__attribute__((target(POSTERN_AVX512_TARGET))) void hash_avx512(const hash_key& key, const std::string_view* texts,
                                                                std::size_t used, std::uint64_t* out) {
    if (used == hash_lanes_count) {
        _mm512_storeu_si512(out, avx512::hash_eight(key, texts));
        return;
    }
    std::array<std::string_view, hash_lanes_count> lanes{};
    for (std::size_t i = 0; i < used; ++i) {
        lanes[i] = texts[i];
    }
    _mm512_mask_storeu_epi64(out, static_cast<__mmask8>((1U << used) - 1U), avx512::hash_eight(key, lanes.data()));
}

}  // namespace postern::recipients
#endif
