// postern-table-compare: the recipient table against the machine's floor and against packaged tables, in one run.
//
// All subjects of one size are filled first; then they take turns, round by round. Every answer is checked. Prints
// JSON:
// {"keys", "batch", "huge_pages", "subjects": {NAME: {"octets", "fill_ns", "negative": [ns], "half": [ns]}}, "wrong":
// [TEXT]}. perf/benches/table.py runs it; `--help` tells the options.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include "perf/table/subject.h"

namespace {

using namespace postern::perf::table;  // NOLINT: a program's own file
namespace json = boost::json;
using clock_type = std::chrono::steady_clock;

/// Processor time of this thread, user and system: what building costs, without waiting for a disk.
double thread_seconds() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double seconds_since(clock_type::time_point start) {
    return std::chrono::duration<double>(clock_type::now() - start).count();
}

using maker = std::function<std::unique_ptr<subject>(const options&)>;

const std::vector<std::pair<std::string, maker>>& makers() {
    static const std::vector<std::pair<std::string, maker>> all = {
        {"ours", make_ours},
        {"verdicts", make_ours_verdicts},
        {"floor_16", [](const options& with) { return make_floor(with, 16, false); }},
        {"floor_24", [](const options& with) { return make_floor(with, 24, false); }},
        {"floor_32", [](const options& with) { return make_floor(with, 32, false); }},
        {"floor_far_32", [](const options& with) { return make_floor(with, 32, true); }},
        {"rte_hash", make_rte_hash},
        {"flat_hash_map", make_flat_hash_map},
        {"cdb", make_cdb},
        {"lmdb", make_lmdb},
        {"bbhash", make_bbhash},
        {"cmph", make_cmph},
    };
    return all;
}

/// One of those that take turns, and what was found of it.
struct contestant {
    std::string name;
    std::unique_ptr<subject> table;
    double fill_ns = 0;
    std::uint64_t strangers = 0;
    std::uint64_t false_accepts = 0;
    std::uint64_t false_rejects = 0;
    json::array negative;
    json::array half;
};

struct settings {
    options with;
    std::vector<std::string> subjects;
    std::size_t batch = 32;
    unsigned rounds = 7;
    double seconds = 0.1;  ///< of each subject's turn
};

/// ns a query over blocks of `listed_percent`, the clock running only while the subject answers.
double measure(contestant& one, const settings& how, unsigned listed_percent, std::uint64_t& block_number) {
    static query_block block;
    static std::array<bool, query_block::size> answers;
    double taken = 0;
    std::uint64_t asked = 0;
    const auto end = clock_type::now() + std::chrono::duration<double>(how.seconds);
    do {
        block.draw(block_number++, how.with.keys, listed_percent);
        const auto start = clock_type::now();
        one.table->ask(block, how.batch, answers.data());
        taken += seconds_since(start);
        asked += block.size;
        for (std::size_t i = 0; one.table->answers() && i < block.size; ++i) {
            one.strangers += block.listed[i] ? 0 : 1;
            one.false_accepts += answers[i] && !block.listed[i] ? 1 : 0;
            one.false_rejects += !answers[i] && block.listed[i] ? 1 : 0;
        }
    } while (clock_type::now() < end);
    return taken * 1e9 / static_cast<double>(asked);
}

int parse(int argc, char** argv, settings& out, std::string& folder) {
    CLI::App app("Compares the recipient table with the machine's floor and with packaged tables; prints JSON.");
    bool normal_pages = false;
    std::string names = "ours,floor_16,floor_24,floor_32";
    app.add_option("--keys", out.with.keys, "addresses in the list")->required();
    app.add_option("--subjects", names,
                   "comma-separated, of: ours verdicts floor_16 floor_24 floor_32 floor_far_32 rte_hash flat_hash_map "
                   "cdb lmdb bbhash cmph");
    app.add_option("--batch", out.batch, "queries in a batch (a power of two, 1 to 64)")->check(CLI::Range(1, 64));
    app.add_option("--rounds", out.rounds, "turns of each subject");
    app.add_option("--seconds", out.seconds, "length of a turn");
    app.add_flag("--normal-pages", normal_pages, "4 KiB pages instead of 2 MiB");
    app.add_option("--folder", folder, "where files of the tables are made for the time of the run");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const int status = app.exit(error);
        return status == 0 ? 0 : 2;
    }
    out.with.huge_pages = !normal_pages;
    std::string name;
    for (const char c : names + ",") {
        if (c == ',') {
            out.subjects.push_back(name);
            name.clear();
        } else {
            name += c;
        }
    }
    if (query_block::size % out.batch != 0 || out.with.keys == 0) {
        std::cerr << "postern-table-compare: --batch must be a power of two and --keys above 0\n";
        return 2;
    }
    return -1;
}

std::vector<contestant> fill(const settings& how) {
    std::vector<contestant> all;
    for (const std::string& name : how.subjects) {
        const auto& known = makers();
        const auto found =
            std::find_if(known.begin(), known.end(), [&name](const auto& one) { return one.first == name; });
        if (found == known.end()) {
            throw failure("unknown subject " + name);
        }
        std::cerr << "filling " << name << '\n';
        const double start = thread_seconds();
        auto table = found->second(how.with);
        all.push_back({name,
                       std::move(table),
                       (thread_seconds() - start) * 1e9 / static_cast<double>(how.with.keys),
                       0,
                       0,
                       0,
                       {},
                       {}});
    }
    return all;
}

int report(const std::vector<contestant>& all, const settings& how) {
    json::object subjects;
    json::array wrong;
    for (const contestant& one : all) {
        subjects[one.name] = json::object{{"octets", one.table->octets()}, {"fill_ns", one.fill_ns},
                                          {"negative", one.negative},      {"half", one.half},
                                          {"strangers", one.strangers},    {"false_accepts", one.false_accepts}};
        // Three more than the bound, for chance.
        const double allowed = static_cast<double>(one.strangers) * one.table->false_accepts() + 3;
        if (one.false_rejects > 0 || static_cast<double>(one.false_accepts) > allowed) {
            wrong.emplace_back(one.name + ": " + std::to_string(one.false_rejects) + " false rejects, " +
                               std::to_string(one.false_accepts) + " false accepts of " +
                               std::to_string(one.strangers) + " strangers (at most " + std::to_string(allowed) + ")");
        }
    }
    const bool good = wrong.empty();
    std::cout << json::serialize(json::object{{"keys", how.with.keys},
                                              {"batch", how.batch},
                                              {"huge_pages", how.with.huge_pages},
                                              {"subjects", subjects},
                                              {"wrong", wrong}})
              << '\n';
    return good ? 0 : 1;
}

class scratch_folder {
public:
    explicit scratch_folder(const std::string& parent) {
        _path = (std::filesystem::path(parent) / "postern-compare-XXXXXX").string();
        if (::mkdtemp(_path.data()) == nullptr) {
            throw failure("cannot create a folder in " + parent);
        }
    }
    ~scratch_folder() {
        std::error_code ignored;
        std::filesystem::remove_all(_path, ignored);
    }
    scratch_folder(const scratch_folder&) = delete;
    scratch_folder& operator=(const scratch_folder&) = delete;
    const std::string& path() const { return _path; }

private:
    std::string _path;
};

}  // namespace

int main(int argc, char** argv) {
    settings how;
    std::string parent = std::filesystem::temp_directory_path().string();
    if (const int status = parse(argc, argv, how, parent); status >= 0) {
        return status;
    }
    try {
        const scratch_folder folder(parent);
        how.with.folder = folder.path();
        auto all = fill(how);
        std::uint64_t block_number = 0;
        for (unsigned round = 0; round <= how.rounds; ++round) {
            for (contestant& one : all) {
                const double negative = measure(one, how, 0, block_number);
                const double half = measure(one, how, 50, block_number);
                if (round > 0) {  // the first is to warm up
                    one.negative.push_back(negative);
                    one.half.push_back(half);
                }
            }
        }
        return report(all, how);
    } catch (const std::exception& error) {
        std::cerr << "postern-table-compare: " << error.what() << '\n';
        return 3;
    }
}
