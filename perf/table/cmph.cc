// cmph, minimal perfect hashes: its BDZ, which is its quickest to ask, over the low half of digests, and fingerprints
// beside it.
#include <cmph.h>

#include <vector>

#include "perf/table/print_slots.h"
#include "perf/table/subject.h"

namespace postern::perf::table {
namespace {

class cmph_table final : public subject {
public:
    explicit cmph_table(const options& with) : _slots(with.keys, with.huge_pages) {
        std::vector<std::uint64_t> lows = low_halves(with.keys);
        cmph_io_adapter_t* const source = cmph_io_struct_vector_adapter(
            lows.data(), sizeof(std::uint64_t), 0, key_octets, static_cast<cmph_uint32>(with.keys));
        cmph_config_t* const shape = cmph_config_new(source);
        cmph_config_set_algo(shape, CMPH_BDZ);
        cmph_t* const made = cmph_new(shape);
        if (made != nullptr) {
            _packed.resize(cmph_packed_size(made));
            cmph_pack(made, _packed.data());
            cmph_destroy(made);
        }
        cmph_config_destroy(shape);
        cmph_io_struct_vector_adapter_destroy(source);
        if (_packed.empty()) {
            throw failure("cmph cannot make a function of the keys");
        }
        fill(_slots, with.keys, [this](const digest& of) { return number_of(of); });
    }

    void ask(const query_block& block, std::size_t batch, bool* answers) override {
        ask_by_number(_slots, block, batch, answers, [this](const digest& of) { return number_of(of); });
    }
    std::uint64_t octets() const override { return _packed.size() + _slots.octets(); }
    double false_accepts() const override { return print_slots::false_accepts; }

private:
    static constexpr cmph_uint32 key_octets = sizeof(std::uint64_t);

    std::uint64_t number_of(const digest& of) noexcept {
        return cmph_search_packed(_packed.data(), reinterpret_cast<const char*>(&of.low), key_octets);
    }

    std::vector<char> _packed;
    print_slots _slots;
};

}  // namespace

std::unique_ptr<subject> make_cmph(const options& with) {
    return std::make_unique<cmph_table>(with);
}

}  // namespace postern::perf::table
