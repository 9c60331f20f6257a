// Tables for tests: domains, lists and files in a temporary folder that goes with the test.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "board/process/files.h"
#include "smtp/recipients/builder.h"
#include "smtp/recipients/snapshot.h"
#include "smtp/recipients/table.h"

namespace postern::recipients::testing {

class temporary_folder {
public:
    temporary_folder() {
        // In memory where there is a place for it: these tests build some hundred tables, and each is synced.
        const std::filesystem::path memory = "/dev/shm";
        const auto parent = ::access(memory.c_str(), W_OK) == 0 ? memory : std::filesystem::temp_directory_path();
        std::string pattern = (parent / "postern-table-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) {
            std::abort();
        }
        _path = pattern;
    }
    ~temporary_folder() {
        std::error_code ignored;
        std::filesystem::remove_all(_path, ignored);
    }
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;
    std::string operator/(const std::string& name) const { return (_path / name).string(); }

private:
    std::filesystem::path _path;
};

/// An address of a list that stays in memory.
struct entry {
    std::string text;
    std::uint32_t domain = 1;
    mailbox_kind kind = mailbox_kind::user;
    bool grace = false;
    bool internal_only = false;
    listed_address view() const { return {text, domain, kind, grace, internal_only}; }
};

inline address_source source_of(const std::vector<entry>& list) {
    return [&list](const auto& sink) {
        for (const entry& e : list) {
            sink(e.view());
        }
    };
}

inline std::vector<listed_address> views_of(const std::vector<entry>& list) {
    std::vector<listed_address> views;
    views.reserve(list.size());
    for (const entry& e : list) {
        views.push_back(e.view());
    }
    return views;
}

inline domain_settings make_domain(std::uint32_t id, std::string name, mode of = mode::enforce) {
    domain_settings domain;
    domain.id = id;
    domain.target = id;
    domain.name = std::move(name);
    domain.mode = of;
    return domain;
}

/// `example.com` (1) and `example.org` (2) with a route each, `alias.example` (3) an alias of the first.
inline domain_section two_domains() {
    domain_section section;
    section.domains = {make_domain(1, "example.com"), make_domain(2, "example.org", mode::defer),
                       make_domain(3, "alias.example")};
    section.domains[0].route = 7;
    section.domains[1].route = 8;
    section.domains[2].target = 1;
    section.routes = {{7, true, false, 10, {{"mail.example.com", 25, 10}}},
                      {8, true, true, 5, {{"192.0.2.1", 2525, 10}, {"192.0.2.2", 25, 20}}}};
    return section;
}

/// `count` addresses `PREFIX0@example.com`, … with payloads that differ.
inline std::vector<entry> many(std::size_t count, const std::string& prefix = "user") {
    std::vector<entry> list;
    list.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        list.push_back({prefix + std::to_string(i) + "@example.com", 1, static_cast<mailbox_kind>(i % 6), i % 7 == 0,
                        i % 11 == 0});
    }
    return list;
}

inline std::string octets_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

inline auto load_octets(std::string_view octets) {
    return table::load(std::as_bytes(std::span(octets.data(), octets.size())));
}

inline tl::expected<std::shared_ptr<const table>, std::string> load(const std::string& path) {
    const process::descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    return table::load_file(file.get(), path);
}

inline normal_address address(std::string_view text) {
    normal_address out;
    const auto parsed = parse_address(text, {}, out);
    EXPECT_TRUE(parsed) << text << ": " << (parsed ? "" : to_string(parsed.error()));
    return out;
}

inline verdict ask(const snapshot& in, std::string_view text) {
    return look_up(in, address(text));
}

/// A base in memory, as a snapshot of its own.
inline std::unique_ptr<const snapshot> snapshot_of(const std::vector<entry>& list, const domain_section& domains,
                                                   std::uint64_t generation = 1) {
    const temporary_folder folder;
    const std::string path = folder / "base";
    const auto built = build_base(path, generation, domains, source_of(list));
    EXPECT_TRUE(built) << (built ? "" : built.error());
    auto loaded = load(path);
    EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error());
    if (!loaded) {
        std::abort();
    }
    return *make_snapshot(generation, *loaded, nullptr);
}

}  // namespace postern::recipients::testing
