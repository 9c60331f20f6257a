// What is in force and what is kept for rollback, as the edge remembers it across restarts: STATE/manifest.json.
//
// Replaced atomically, so that after a crash it is the old or the new one. Names only; the files are in the tables
// folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace postern::edge {

/// A base and its overlay, by file name.
struct table_pair {
    std::uint64_t generation = 0;  ///< the number of the commit that put it in force
    std::string base;
    std::string overlay;  ///< empty: none
    bool same_files(const table_pair& other) const { return base == other.base && overlay == other.overlay; }
    friend bool operator==(const table_pair&, const table_pair&) = default;
};

struct manifest {
    static constexpr unsigned version = 1;
    static constexpr std::size_t most_recent = 5;       ///< the last pairs, whatever they are
    static constexpr std::size_t most_older_bases = 3;  ///< beyond them, the last pair of each of so many other bases

    table_pair in_force;
    std::vector<table_pair> kept;  ///< for rollback, the last first; never the pair in force

    /// The manifest after `next` was committed: what was in force is kept first. Live edits make a pair each, so the
    /// last pair of a few other bases is kept beyond the most recent ones: a bad import can still be undone.
    manifest after(table_pair next) const;

    friend bool operator==(const manifest&, const manifest&) = default;
};

std::string to_json(const manifest& from);
/// The error says what is wrong with the text.
tl::expected<manifest, std::string> manifest_from_json(std::string_view text);

/// Reads `manifest.json` in the folder open at `state_fd`; empty if there is none.
tl::expected<std::optional<manifest>, std::string> read_manifest(int state_fd);
/// In its place when it returns without error, and durable, whole, after `sync_manifest`.
tl::expected<void, std::string> write_manifest(int state_fd, const manifest& to_write);
tl::expected<void, std::string> sync_manifest(int state_fd);

}  // namespace postern::edge
