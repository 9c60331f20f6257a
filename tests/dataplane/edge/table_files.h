// Temporary folders, table files in them, and an edge to be asked, for the tests of this folder.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "board/process/files.h"
#include "smtp/recipients/builder.h"

namespace postern::edge {

/// A folder that is gone with the object.
class temporary_folder {
public:
    temporary_folder() : _path(::testing::TempDir() + "postern-edge-XXXXXX") {
        if (::mkdtemp(_path.data()) == nullptr) {
            throw std::runtime_error("no temporary folder");
        }
        _open = process::descriptor(::open(_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
    ~temporary_folder() {
        std::error_code ignored;
        std::filesystem::remove_all(_path, ignored);
    }
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;

    const std::string& path() const { return _path; }
    std::string path(const std::string& name) const { return _path + "/" + name; }
    int fd() const { return _open.get(); }

    void write(const std::string& name, const std::string& content) const {
        std::ofstream(path(name), std::ios::binary) << content;
    }
    std::string read(const std::string& name) const { return *process::read_file(path(name), 1 << 24); }

private:
    std::string _path;
    process::descriptor _open;
};

inline recipients::domain_section domain(const std::string& name, recipients::mode mode = recipients::mode::enforce) {
    recipients::domain_section section;
    recipients::domain_settings settings;
    settings.id = 1;
    settings.name = name;
    settings.target = 1;
    settings.route = 1;
    settings.mode = mode;
    recipients::route route;
    route.id = 1;
    route.confirmed = true;
    route.hosts = {{"127.0.0.1", 25, 10}};
    section.domains.push_back(std::move(settings));
    section.routes.push_back(std::move(route));
    return section;
}

/// Writes a base of these addresses, all of one domain.
inline void make_base(const std::string& path, std::uint64_t generation, const std::vector<std::string>& addresses,
                      const recipients::domain_section& domains = domain("example.com")) {
    const auto built = recipients::build_base(path, generation, domains, [&](const auto& sink) {
        for (const std::string& text : addresses) {
            sink(recipients::listed_address{text, 1});
        }
    });
    ASSERT_TRUE(built) << built.error();
}

inline void make_overlay(const std::string& path, std::uint64_t generation, const std::string& base,
                         const std::vector<std::string>& added, const std::vector<std::string>& removed = {}) {
    std::vector<recipients::listed_address> listed;
    for (const std::string& text : added) {
        listed.push_back({text, 1});
    }
    const auto built = recipients::build_overlay(path, generation, base, nullptr, listed, removed);
    ASSERT_TRUE(built) << built.error();
}

}  // namespace postern::edge
