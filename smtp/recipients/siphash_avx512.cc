// SipHash-1-3 in the eight lanes of one register: siphash_avx512.h.
#include "smtp/recipients/siphash_avx512.h"

#if defined(__x86_64__)
namespace postern::recipients {

__attribute__((target(POSTERN_AVX512_TARGET))) void hash_avx512(const hash_key& key, const std::string_view* texts,
                                                                std::size_t used, std::uint64_t* out) {
    const __m512i all = avx512::hash_up_to_eight(key, texts, used);
    _mm512_mask_storeu_epi64(out, static_cast<__mmask8>((1U << used) - 1U), all);
}

}  // namespace postern::recipients
#endif
