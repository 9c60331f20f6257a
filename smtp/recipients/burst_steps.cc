#include "smtp/recipients/burst_steps.h"

#include "smtp/recipients/cpu.h"

namespace postern::recipients {
namespace plain {

void find_buckets(const burst_table& in, std::size_t used, const std::uint64_t* hashes, std::uint64_t* places) {
    for (std::size_t i = 0; i < used; ++i) {
        places[i] = in.where.bucket_of(hashes[i]);
    }
}

void find_lines(const burst_table& in, std::size_t used, const std::uint64_t* hashes, std::uint64_t* places) {
    for (std::size_t i = 0; i < used; ++i) {
        places[i] = in.where.line_of(hashes[i], places[i], in.pilots[places[i]]);
    }
}

void compare(const burst_table& in, std::size_t used, const std::uint64_t* hashes, const std::uint64_t* places,
             std::uint32_t* payloads) {
    for (std::size_t i = 0; i < used; ++i) {
        payloads[i] = find(in.lines[places[i]], fingerprint_of(hashes[i], in.where.salt)).payload;
    }
}

}  // namespace plain

const burst_steps& quickest_steps() noexcept {
#if defined(__x86_64__)
    static const burst_steps& chosen = has_avx512() ? avx512_steps : has_avx2() ? avx2_steps : plain_steps;
    return chosen;
#else
    return plain_steps;
#endif
}

}  // namespace postern::recipients
