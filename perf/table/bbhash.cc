// BBHash, a minimal perfect hash, from the low half of digests to numbers, and fingerprints beside it. Two passes over
// a batch: numbers first, each slot prefetched, then fingerprints. Its bits are in its own memory, about 3 a key.
#if defined(__GNUC__) && !defined(__clang__)
// The header's, inlined here: a hash that one branch alone sets is read by the same branch alone.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <BooPHF.h>

#include <array>
#include <sstream>
#include <vector>

#include "perf/table/print_slots.h"
#include "perf/table/subject.h"

namespace postern::perf::table {
namespace {

/// The key is a hash already; the seed makes others of it.
struct mix_seed {
    std::uint64_t operator()(std::uint64_t key, std::uint64_t seed = 0) const noexcept { return scramble(key ^ seed); }
};
using function = boomphf::mphf<std::uint64_t, mix_seed>;

class bbhash final : public subject {
public:
    explicit bbhash(const options& with) : _slots(with.keys, with.huge_pages) {
        std::vector<std::uint64_t> lows(with.keys);
        for (std::uint64_t i = 0; i < with.keys; ++i) {
            lows[i] = digest_of(view(text_of(i))).low;
        }
        constexpr double bits_a_level = 2.0;  // its authors' choice between size and speed
        _number_of = std::make_unique<function>(with.keys, lows, 1, bits_a_level, false, false);
        std::ostringstream file;
        _number_of->save(file);
        _function_octets = file.view().size();
        for (std::uint64_t i = 0; i < with.keys; ++i) {
            const digest of = digest_of(view(text_of(i)));
            _slots.set(_number_of->lookup(of.low), of);
        }
    }

    void ask(const query_block& block, std::size_t batch, bool* answers) override {
        std::array<digest, 64> digests;
        std::array<std::uint64_t, 64> numbers;  // NOLINT: filled up to the batch
        for (std::size_t begin = 0; begin < block.size; begin += batch) {
            for (std::size_t i = 0; i < batch; ++i) {
                digests[i] = digest_of(block.texts[begin + i]);
                numbers[i] = _number_of->lookup(digests[i].low);
                _slots.prefetch(numbers[i]);
            }
            for (std::size_t i = 0; i < batch; ++i) {
                answers[begin + i] = _slots.has(numbers[i], digests[i]);
            }
        }
    }
    std::uint64_t octets() const override { return _function_octets + _slots.octets(); }
    double false_accepts() const override { return print_slots::false_accepts; }

private:
    std::unique_ptr<function> _number_of;
    std::uint64_t _function_octets = 0;
    print_slots _slots;
};

}  // namespace

std::unique_ptr<subject> make_bbhash(const options& with) {
    return std::make_unique<bbhash>(with);
}

}  // namespace postern::perf::table
