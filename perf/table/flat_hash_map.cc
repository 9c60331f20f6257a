// absl::flat_hash_map from 128-bit digests to payloads: digests of a batch first, each prefetched, then the look-ups.
// Its slots are on the same pages as everything else: an allocator gives it a mapping.
#include <absl/container/flat_hash_map.h>

#include <array>
#include <map>

#include "perf/table/digest.h"
#include "perf/table/pages.h"
#include "perf/table/subject.h"

namespace postern::perf::table {
namespace {

/// The map reserves once, so each allocation is one mapping.
template <class T>
struct mapped_allocator {
    using value_type = T;
    bool huge_pages = true;
    std::shared_ptr<std::map<void*, std::unique_ptr<mapping>>> taken =
        std::make_shared<std::map<void*, std::unique_ptr<mapping>>>();

    explicit mapped_allocator(bool huge) : huge_pages(huge) {}
    template <class U>
    mapped_allocator(const mapped_allocator<U>& other)  // NOLINT: allocators convert
        : huge_pages(other.huge_pages), taken(other.taken) {}
    T* allocate(std::size_t count) {
        auto memory = std::make_unique<mapping>(count * sizeof(T), huge_pages);
        void* const at = memory->data();
        taken->emplace(at, std::move(memory));
        return static_cast<T*>(at);
    }
    void deallocate(T* at, std::size_t /*count*/) noexcept { taken->erase(at); }
    template <class U>
    bool operator==(const mapped_allocator<U>& other) const noexcept {
        return taken == other.taken;
    }
};

/// The digest is a hash already.
struct take_low {
    std::size_t operator()(const digest& of) const noexcept { return of.low; }
};

using map_type = absl::flat_hash_map<digest, std::uint16_t, take_low, std::equal_to<>,
                                     mapped_allocator<std::pair<const digest, std::uint16_t>>>;

class flat_hash_map final : public subject {
public:
    explicit flat_hash_map(const options& with)
        : _map(0, take_low(), std::equal_to<>(), map_type::allocator_type(with.huge_pages)) {
        _map.reserve(with.keys);
        for (std::uint64_t i = 0; i < with.keys; ++i) {
            _map.emplace(digest_of(view(text_of(i))), static_cast<std::uint16_t>(1));
        }
    }

    void ask(const query_block& block, std::size_t batch, bool* answers) override {
        std::array<digest, 64> digests;
        for (std::size_t begin = 0; begin < block.size; begin += batch) {
            for (std::size_t i = 0; i < batch; ++i) {
                digests[i] = digest_of(block.texts[begin + i]);
                _map.prefetch(digests[i]);
            }
            for (std::size_t i = 0; i < batch; ++i) {
                const auto found = _map.find(digests[i]);
                answers[begin + i] = found != _map.end() && found->second != 0;
            }
        }
    }
    std::uint64_t octets() const override { return _map.capacity() * (sizeof(map_type::value_type) + 1); }

private:
    map_type _map;
};

}  // namespace

std::unique_ptr<subject> make_flat_hash_map(const options& with) {
    return std::make_unique<flat_hash_map>(with);
}

}  // namespace postern::perf::table
