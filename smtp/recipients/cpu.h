// What this CPU can do, for the sources that have variants of their own for it, and what those are compiled for.
#pragma once

#define POSTERN_AVX2_TARGET "avx2,bmi,bmi2"
#define POSTERN_AVX512_TARGET "avx512f,avx512bw,avx512cd,avx512vl,avx512dq,bmi,bmi2"

namespace postern::recipients {

/// Whether a function of POSTERN_AVX2_TARGET may be called.
bool has_avx2() noexcept;
/// Likewise of POSTERN_AVX512_TARGET; true only where `has_avx2` is.
bool has_avx512() noexcept;

}  // namespace postern::recipients
