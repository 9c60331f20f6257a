// What is compared: a table, packaged or ours, that is filled with a list and then asked in batches; each in a file of
// its own, in its fastest fitting configuration (docs/performance.md argues for each).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

#include "perf/table/queries.h"

namespace postern::perf::table {

/// Start-up only: a table that can't be made.
using failure = std::runtime_error;

struct options {
    std::uint64_t keys = 0;
    bool huge_pages = true;  ///< 2 MiB, asked of the system for the memory that the subject takes itself
    std::string folder;      ///< for files; on a file system that may be mapped
};

class subject {
public:
    virtual ~subject() = default;
    /// Answers a whole block, `batch` queries at a time, into `answers`: whether each is listed.
    virtual void ask(const query_block& block, std::size_t batch, bool* answers) = 0;
    /// Memory or file, octets; 0: not known.
    virtual std::uint64_t octets() const = 0;
    /// False accepts that it promises at most, as a share of all strangers asked; 0: it keeps the keys, or 128 bits.
    virtual double false_accepts() const { return 0; }
    /// False: it does not look at keys (the floor), its answers say nothing.
    virtual bool answers() const { return true; }
};

std::unique_ptr<subject> make_ours(const options& with);
std::unique_ptr<subject> make_ours_verdicts(const options& with);
std::unique_ptr<subject> make_floor(const options& with, unsigned parallel, bool far);
std::unique_ptr<subject> make_rte_hash(const options& with);
std::unique_ptr<subject> make_flat_hash_map(const options& with);
std::unique_ptr<subject> make_cdb(const options& with);
std::unique_ptr<subject> make_lmdb(const options& with);
std::unique_ptr<subject> make_bbhash(const options& with);
std::unique_ptr<subject> make_cmph(const options& with);

}  // namespace postern::perf::table
