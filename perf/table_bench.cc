// Micro-benchmarks of the recipient table: build, lookup in batches, overlay, memory; hash and parser by themselves.
//
// Random addresses of 25 octets in one domain. Every answer is checked: a false reject, or more false accepts than the
// stated bound allows, is exit status 1. Prints Google Benchmark's report (`--benchmark_format=json`, and its other
// flags); `--max-keys=N` sets the largest table (1,000,000).
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "board/process/files.h"
#include "perf/table/queries.h"
#include "smtp/recipients/builder.h"
#include "smtp/recipients/siphash.h"
#include "smtp/recipients/snapshot.h"
#include "smtp/recipients/table.h"

namespace {

using namespace postern;  // NOLINT: a program's own file
using namespace postern::recipients;
using perf::table::address_text;
using perf::table::domain_name;
using perf::table::scramble;
using perf::table::text_of;
using perf::table::view;

constexpr std::size_t block = 256;  ///< lookups between two readings of the clock
constexpr std::uint64_t overlay_changes = 1000;

std::uint64_t false_rejects = 0;
std::uint64_t false_accepts = 0;
std::uint64_t strangers = 0;

domain_section one_domain() {
    domain_section section;
    domain_settings domain;
    domain.id = domain.target = 1;
    domain.name = domain_name;
    section.domains.push_back(domain);
    return section;
}

[[noreturn]] void fail(const std::string& what) {
    std::cerr << "table_bench: " << what << '\n';
    std::exit(1);
}

class scratch_folder {
public:
    scratch_folder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "postern-bench-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) {
            fail("cannot create a folder in " + pattern);
        }
        _path = pattern;
    }
    ~scratch_folder() {
        std::error_code ignored;
        std::filesystem::remove_all(_path, ignored);
    }
    scratch_folder(const scratch_folder&) = delete;
    scratch_folder& operator=(const scratch_folder&) = delete;
    std::string file(const std::string& name) const { return (_path / name).string(); }

private:
    std::filesystem::path _path;
};

const scratch_folder& folder() {
    static const scratch_folder instance;
    return instance;
}

build_report build(const std::string& path, const std::vector<address_text>& list, unsigned threads = 1) {
    const auto give_all = [&list](const auto& sink) {
        for (const address_text& text : list) {
            sink({view(text), 1, mailbox_kind::user, false, false});
        }
    };
    build_effort effort;
    effort.threads = threads;
    const auto built = build_base(path, 1, one_domain(), give_all, effort);
    if (!built) {
        fail(built.error());
    }
    return *built;
}

/// The first `keys` addresses: made before the clock runs, as a list that is in memory already.
std::vector<address_text> list_of(std::uint64_t keys) {
    std::vector<address_text> list(keys);
    for (std::uint64_t i = 0; i < keys; ++i) {
        list[i] = text_of(i);
    }
    return list;
}

std::shared_ptr<const table> load(const std::string& path) {
    const process::descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    auto loaded = table::load_file(file.get(), path);
    if (!loaded) {
        fail(loaded.error());
    }
    return *loaded;
}

/// The base of `keys` addresses; with an overlay, the first of them are removed and as many strangers added.
const snapshot& table_of(std::uint64_t keys, bool with_overlay) {
    struct made {
        std::uint64_t keys = 0;
        std::shared_ptr<const table> base;
        std::unique_ptr<const snapshot> plain;
        std::unique_ptr<const snapshot> overlaid;
    };
    static made last;  // benchmarks are registered size by size
    if (last.keys != keys) {
        last = {};
        const std::string path = folder().file("base");
        const std::string over = folder().file("overlay");
        build(path, list_of(keys));
        last.base = load(path);
        std::vector<address_text> added;
        std::vector<listed_address> views;
        views.reserve(overlay_changes);
        std::vector<std::string> removed;
        for (std::uint64_t i = 0; i < overlay_changes; ++i) {
            added.push_back(text_of(keys + i));
            removed.emplace_back(view(text_of(i)));
        }
        for (const address_text& text : added) {
            views.push_back({view(text), 1, mailbox_kind::user, false, false});
        }
        if (const auto built = build_overlay(over, 2, path, nullptr, views, removed); !built) {
            fail(built.error());
        }
        last.plain = *make_snapshot(1, last.base, nullptr);
        last.overlaid = *make_snapshot(2, last.base, load(over));
        last.keys = keys;
    }
    return with_overlay ? *last.overlaid : *last.plain;
}

bool is_listed(std::uint64_t number, std::uint64_t keys, bool with_overlay) noexcept {
    return with_overlay ? number >= overlay_changes && number < keys + overlay_changes : number < keys;
}

void count_answer(bool expected, bool listed) noexcept {
    strangers += expected ? 0 : 1;
    false_rejects += expected && !listed ? 1 : 0;
    false_accepts += !expected && listed ? 1 : 0;
}

void lookups(benchmark::State& state, std::uint64_t keys, std::size_t batch_size, unsigned listed_percent,
             bool with_overlay) {
    const snapshot& in = table_of(keys, with_overlay);
    lookup_batch batch;
    const auto asked = std::make_unique<std::array<normal_address, block>>();
    std::vector<bool> expected(block);
    std::uint64_t drawn = 0x9E3779B97F4A7C15U * (keys + batch_size);
    for (auto _ : state) {
        for (std::size_t i = 0; i < block; ++i) {
            const std::uint64_t random = scramble(++drawn);
            const bool member = random % 100 < listed_percent;
            const std::uint64_t number =
                member ? scramble(random) % keys : keys + overlay_changes + (scramble(random) >> 8U);
            expected[i] = is_listed(number, keys, with_overlay);
            if (!parse_address(view(text_of(number)), {}, (*asked)[i])) {
                fail("an address of the benchmark's own is refused");
            }
        }
        std::size_t checked = 0;
        std::array<bool, block> listed;  // NOLINT: filled below
        const auto start = std::chrono::steady_clock::now();
        for (std::size_t i = 0; i < block; i += batch_size) {
            for (std::size_t k = 0; k < batch_size; ++k) {
                batch.add(in, (*asked)[i + k], k);
            }
            for (const lookup_batch::answer& answer : batch.resolve()) {
                listed[checked++] = answer.verdict.standing == standing::listed;
            }
        }
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        state.SetIterationTime(took.count());
        for (std::size_t i = 0; i < block; ++i) {
            count_answer(expected[i], listed[i]);
        }
    }
    state.counters["ns_per_lookup"] = benchmark::Counter(
        static_cast<double>(block) * 1e-9, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void builds(benchmark::State& state, std::uint64_t keys, unsigned threads) {
    const std::string path = folder().file("built");
    const std::vector<address_text> list = list_of(keys);
    build_report report;
    for (auto _ : state) {
        report = build(path, list, threads);
    }
    // By the thread's processor time, user and system: the disk's share is in the benchmark's real time.
    state.counters["ns_per_key"] = benchmark::Counter(
        static_cast<double>(keys) * 1e-9, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
    state.counters["bytes_per_key"] = static_cast<double>(report.file_octets) / static_cast<double>(keys);
}

void loads(benchmark::State& state, std::uint64_t keys) {
    const std::string path = folder().file("loaded");
    build(path, list_of(keys));
    for (auto _ : state) {
        benchmark::DoNotOptimize(load(path));
    }
}

void overlays(benchmark::State& state, std::uint64_t keys) {
    table_of(keys, false);
    const std::string base = folder().file("base");
    const std::string path = folder().file("rebuilt");
    const address_text text = text_of(keys);
    const listed_address added{view(text), 1, mailbox_kind::user, false, false};
    const std::string removed(view(text_of(0)));
    for (auto _ : state) {
        if (const auto built = build_overlay(path, 2, base, nullptr, {&added, 1}, {&removed, 1}); !built) {
            fail(built.error());
        }
        benchmark::DoNotOptimize(load(path));
    }
}

void parses(benchmark::State& state, std::string_view text) {
    normal_address out;
    for (auto _ : state) {
        benchmark::DoNotOptimize(text);
        if (!parse_address(text, {}, out)) {
            fail("an address of the benchmark's own is refused");
        }
        benchmark::DoNotOptimize(out);
    }
}

void hashes(benchmark::State& state, hash_variant variant) {
    const hash_key key{1, 2};
    std::array<address_text, hash_lanes_count> texts;  // NOLINT: filled below
    std::array<std::string_view, hash_lanes_count> views;
    for (std::size_t i = 0; i < hash_lanes_count; ++i) {
        texts[i] = text_of(i);
        views[i] = view(texts[i]);
    }
    std::array<std::uint64_t, hash_lanes_count> out{};
    for (auto _ : state) {
        variant.hash(key, views.data(), hash_lanes_count, out.data());
        benchmark::DoNotOptimize(out);
    }
    for (std::size_t i = 0; i < hash_lanes_count; ++i) {
        if (out[i] != siphash13(key, view(text_of(i)))) {
            fail(std::string("the hash variant ") + variant.name + " gives another hash");
        }
    }
    state.counters["ns_per_hash"] =
        benchmark::Counter(static_cast<double>(hash_lanes_count) * 1e-9,
                           benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void register_all(std::uint64_t max_keys) {
    benchmark::RegisterBenchmark("parse/ascii", parses, "John.Smith-12@Example.Com");
    benchmark::RegisterBenchmark("parse/quoted", parses, "\"John Smith\"@example.com");
    benchmark::RegisterBenchmark("parse/utf8", parses,
                                 "j\xC3\xBCrgen@b\xC3\xBC"
                                 "cher.example");
    for (const hash_variant& variant : hash_variants()) {
        benchmark::RegisterBenchmark((std::string("hash/") + variant.name).c_str(), hashes, variant);
    }
    for (std::uint64_t keys = 10000; keys <= max_keys; keys *= 10) {
        const std::string size = std::to_string(keys);
        benchmark::RegisterBenchmark(("build/" + size).c_str(), builds, keys, 1)->Unit(benchmark::kMillisecond);
        benchmark::RegisterBenchmark(("build_2_threads/" + size).c_str(), builds, keys, 2)
            ->Unit(benchmark::kMillisecond);
        benchmark::RegisterBenchmark(("load/" + size).c_str(), loads, keys)->Unit(benchmark::kMillisecond);
        for (const unsigned percent : {0U, 50U}) {
            for (const std::size_t batch : {1U, 8U, 32U}) {
                std::string shape = percent == 0 ? "/negative/" : "/half/";
                shape.append(size).append("/").append(std::to_string(batch));
                for (const bool overlaid : {false, true}) {
                    const std::string name = (overlaid ? "lookup_overlay" : "lookup") + shape;
                    benchmark::RegisterBenchmark(name.c_str(), lookups, keys, batch, percent, overlaid)
                        ->UseManualTime();
                }
            }
        }
        benchmark::RegisterBenchmark(("overlay_build/" + size).c_str(), overlays, keys)->Unit(benchmark::kMillisecond);
    }
}

/// Takes `--max-keys=N` out of the arguments.
std::uint64_t take_max_keys(int& argc, char** argv) {
    constexpr std::string_view flag = "--max-keys=";
    std::uint64_t keys = 1000000;
    int kept = 1;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument.starts_with(flag)) {
            keys = std::strtoull(argument.data() + flag.size(), nullptr, 10);
        } else {
            argv[kept++] = argv[i];
        }
    }
    argc = kept;
    return keys;
}

}  // namespace

int main(int argc, char** argv) {
    const std::uint64_t max_keys = take_max_keys(argc, argv);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
        return 2;
    }
    register_all(max_keys);
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    // 2^-28 a lookup, and three more for chance.
    const std::uint64_t allowed = strangers / (1ULL << 28U) + 3;
    std::cerr << "checked: " << false_rejects << " false rejects, " << false_accepts << " false accepts in "
              << strangers << " strangers (at most " << allowed << ")\n";
    return false_rejects == 0 && false_accepts <= allowed ? 0 : 1;
}
