// The floor: one random line of as much memory as our table's lines take, for each query, so many on their way at once.
// Nothing is hashed and nothing compared; the place of a line depends on no other line. Lines are asked for as far as
// the L1 cache, as loads do, or as far as the L2 cache, which may have more of them on their way.
#include <cstdint>

#include "perf/table/pages.h"
#include "perf/table/subject.h"

namespace postern::perf::table {
namespace {

class memory_floor final : public subject {
public:
    memory_floor(const options& with, unsigned parallel, bool far)
        : _memory(static_cast<std::size_t>(static_cast<double>(with.keys * line_octets) / keys_per_line),
                  with.huge_pages),
          _lines(_memory.octets() / line_octets),
          _parallel(parallel),
          _far(far) {}

    void ask(const query_block& /*block*/, std::size_t /*batch*/, bool* answers) override {
        answers[0] = (_far ? read<2>() : read<3>()) == 0;  // the reads must not be left out
    }
    std::uint64_t octets() const override { return _memory.octets(); }
    bool answers() const override { return false; }

private:
    static constexpr std::size_t line_octets = 64;
    static constexpr double keys_per_line = 9.4;

    const std::uint32_t* line(std::uint64_t number) const noexcept {
        __extension__ using wide = unsigned __int128;
        const std::uint64_t random = (number * 0x9E3779B97F4A7C15U ^ (number >> 20U)) * 0xD6E8FEB86659FD93U;
        const auto at = static_cast<std::uint64_t>(static_cast<wide>(random) * _lines >> 64U);
        return reinterpret_cast<const std::uint32_t*>(_memory.data() + at * line_octets);
    }

    /// Reads a block's lines, asking for each so far ahead. `Locality` as __builtin_prefetch has it.
    template <int Locality>
    std::uint32_t read() noexcept {
        std::uint32_t sum = 0;
        const std::uint64_t begin = _asked;
        const std::uint64_t end = begin + query_block::size;
        for (std::uint64_t i = begin; i < begin + _parallel; ++i) {
            __builtin_prefetch(line(i), 0, Locality);
        }
        for (std::uint64_t i = begin; i < end - _parallel; ++i) {
            __builtin_prefetch(line(i + _parallel), 0, Locality);
            sum += *line(i);
        }
        for (std::uint64_t i = end - _parallel; i < end; ++i) {
            sum += *line(i);
        }
        _asked = end;
        return sum;
    }

    mapping _memory;
    std::uint64_t _lines;
    unsigned _parallel;
    bool _far;
    std::uint64_t _asked = 1;
};

}  // namespace

std::unique_ptr<subject> make_floor(const options& with, unsigned parallel, bool far) {
    return std::make_unique<memory_floor>(with, parallel, far);
}

}  // namespace postern::perf::table
