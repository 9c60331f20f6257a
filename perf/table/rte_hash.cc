// DPDK's rte_hash, bulk look-ups with signatures made beforehand, keys of 16 octets (digests), for which it has a
// compare of its own. Its memory is an external heap of ours, so that it is on 2 MiB pages without any reserved.
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_malloc.h>
#include <sys/mman.h>

#include <array>
#include <vector>

#include "perf/table/digest.h"
#include "perf/table/pages.h"
#include "perf/table/subject.h"

namespace postern::perf::table {
namespace {

constexpr const char* heap_name = "compare";

std::uint32_t signature_of(const void* key, std::uint32_t /*octets*/, std::uint32_t /*seed*/) {
    return static_cast<std::uint32_t>(static_cast<const digest*>(key)->low);
}

void start_environment() {
    std::array<std::string, 8> words = {
        "compare", "--no-huge", "--no-pci", "--no-telemetry", "--no-shconf", "--log-level=lib.*:error", "-m", "64"};
    std::array<char*, words.size()> arguments{};
    for (std::size_t i = 0; i < words.size(); ++i) {
        arguments[i] = words[i].data();
    }
    if (rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) < 0) {
        throw failure(std::string("rte_eal_init: ") + rte_strerror(rte_errno));
    }
}

class rte_hash_table final : public subject {
public:
    explicit rte_hash_table(const options& with)
        : _memory(256 * (std::size_t{1} << 20U) + with.keys * octets_a_key, with.huge_pages) {
        start_environment();
        constexpr std::size_t page = std::size_t{2} << 20U;
        if (rte_malloc_heap_create(heap_name) != 0 ||
            rte_malloc_heap_memory_add(heap_name, _memory.data(), _memory.octets(), nullptr,
                                       static_cast<unsigned>(_memory.octets() / page), page) != 0) {
            throw failure(std::string("external memory: ") + rte_strerror(rte_errno));
        }
        rte_hash_parameters shape{};
        shape.name = heap_name;
        shape.entries = static_cast<std::uint32_t>(with.keys + with.keys / 16);
        shape.key_len = sizeof(digest);
        shape.hash_func = &signature_of;
        shape.socket_id = rte_malloc_heap_get_socket(heap_name);
        shape.extra_flag = RTE_HASH_EXTRA_FLAGS_EXT_TABLE;
        _hash = rte_hash_create(&shape);
        if (_hash == nullptr) {
            throw failure(std::string("rte_hash_create: ") + rte_strerror(rte_errno));
        }
        for (std::uint64_t i = 0; i < with.keys; ++i) {
            const digest key = digest_of(view(text_of(i)));
            if (rte_hash_add_key_with_hash_data(_hash, &key, signature_of(&key, 0, 0), one) != 0) {
                throw failure("rte_hash has no room for key " + std::to_string(i));
            }
        }
    }
    ~rte_hash_table() override { rte_hash_free(_hash); }
    rte_hash_table(const rte_hash_table&) = delete;
    rte_hash_table& operator=(const rte_hash_table&) = delete;

    void ask(const query_block& block, std::size_t batch, bool* answers) override {
        std::array<digest, RTE_HASH_LOOKUP_BULK_MAX> digests;
        std::array<const void*, RTE_HASH_LOOKUP_BULK_MAX> keys{};
        std::array<hash_sig_t, RTE_HASH_LOOKUP_BULK_MAX> signatures{};
        std::array<void*, RTE_HASH_LOOKUP_BULK_MAX> data{};
        for (std::size_t begin = 0; begin < block.size; begin += batch) {
            for (std::size_t i = 0; i < batch; ++i) {
                digests[i] = digest_of(block.texts[begin + i]);
                keys[i] = &digests[i];
                signatures[i] = signature_of(&digests[i], 0, 0);
            }
            std::uint64_t hits = 0;
            rte_hash_lookup_with_hash_bulk_data(_hash, keys.data(), signatures.data(),
                                                static_cast<std::uint32_t>(batch), &hits, data.data());
            for (std::size_t i = 0; i < batch; ++i) {
                answers[begin + i] = (hits >> i & 1U) != 0 && data[i] == one;
            }
        }
    }
    std::uint64_t octets() const override {
        rte_malloc_socket_stats stats{};
        rte_malloc_get_socket_stats(rte_malloc_heap_get_socket(heap_name), &stats);
        return stats.heap_allocsz_bytes;
    }

private:
    static constexpr std::size_t octets_a_key = 80;
    inline static void* const one = reinterpret_cast<void*>(1);

    mapping _memory;
    rte_hash* _hash = nullptr;
};

}  // namespace

std::unique_ptr<subject> make_rte_hash(const options& with) {
    return std::make_unique<rte_hash_table>(with);
}

}  // namespace postern::perf::table
