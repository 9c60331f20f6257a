// BBHash, a minimal perfect hash, from the low half of digests to numbers, and fingerprints beside it. Its bits are in
// its own memory, about 3 a key.
#if defined(__GNUC__) && !defined(__clang__)
// The header's, inlined here: a hash that one branch alone sets is read by the same branch alone.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <BooPHF.h>

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
        const std::vector<std::uint64_t> lows = low_halves(with.keys);
        constexpr double bits_a_level = 2.0;  // its authors' choice between size and speed
        _number_of = std::make_unique<function>(with.keys, lows, 1, bits_a_level, false, false);
        std::ostringstream file;
        _number_of->save(file);
        _function_octets = file.view().size();
        fill(_slots, with.keys, [this](const digest& of) { return _number_of->lookup(of.low); });
    }

    void ask(const query_block& block, std::size_t batch, bool* answers) override {
        ask_by_number(_slots, block, batch, answers, [this](const digest& of) { return _number_of->lookup(of.low); });
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
