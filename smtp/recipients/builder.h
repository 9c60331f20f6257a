// Builds the table files of recipients (format.h describes them). Used by control and by `postern-table build`.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "smtp/recipients/domains.h"

namespace postern::recipients {

/// One listed address. `text` is `normal_address::text()` with a domain alias already replaced by its target's name.
struct listed_address {
    std::string_view text;
    std::uint32_t domain = 0;  ///< the target domain's stable id
    mailbox_kind kind = mailbox_kind::user;
    bool grace = false;
    bool internal_only = false;
};

/// Gives each listed address once to `sink`, in any order; may be called again (after a key collision).
using address_source = std::function<void(const std::function<void(const listed_address&)>& sink)>;

struct domain_section {
    std::vector<domain_settings> domains;
    std::vector<route> routes;
};

struct build_report {
    std::uint64_t addresses = 0;
    std::uint64_t file_octets = 0;
    unsigned rekeys = 0;
};

/// How much of the machine a build may take, and who wants to know how far it is.
struct build_effort {
    unsigned threads = 1;  ///< that place keys; the caller's reads, hashes and writes besides if there are several
    /// Called by the caller's thread with addresses placed and all of them, partition by partition; begins anew if
    /// they did not fit. May be empty.
    std::function<void(std::uint64_t placed, std::uint64_t all)> progress;
};

/// Writes a base generation to `path` (a temporary beside it, fsync, rename). The key is drawn from the system's
/// randomness. Memory: about 16 octets an address and the file's size. An address that the source gives twice is an
/// error that names it.
tl::expected<build_report, std::string> build_base(const std::string& path, std::uint64_t generation,
                                                   const domain_section& domains, const address_source& addresses,
                                                   const build_effort& with = {});

/// Writes an overlay over the base file at `base_path`: `added` are accepted (or replace the payload that the base
/// has), `removed` (texts as in `listed_address`) are refused though the base has them. Shares the base's key; names
/// exact base slots for removals. `domains` null: the base's domain section stays in force.
tl::expected<build_report, std::string> build_overlay(const std::string& path, std::uint64_t generation,
                                                      const std::string& base_path, const domain_section* domains,
                                                      std::span<const listed_address> added,
                                                      std::span<const std::string> removed);

}  // namespace postern::recipients
