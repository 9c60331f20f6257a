// What a fetch yields, as the lines of a pushed list in a file: flat memory, however large the directory is.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "board/process/files.h"
#include "control/sources/fetch.h"

namespace postern::agent {

class spool final : public sources::entry_sink {
public:
    /// Makes the file anew (0600).
    static process::result<std::unique_ptr<spool>> create(const std::string& path);
    ~spool() override;  ///< takes the file away

    bool entry(sources::directory_entry&& one) override;
    bool gone(std::string_view identity) override;
    bool restart_whole() override;

    /// Writes the end line. Nothing may be yielded afterwards.
    process::result<void> finish();
    const std::string& path() const noexcept { return _path; }
    std::uint64_t lines() const noexcept { return _lines; }
    bool restarted() const noexcept { return _restarted; }

private:
    spool(std::string path, process::descriptor file) : _path(std::move(path)), _file(std::move(file)) {}
    bool add(const std::string& line);
    bool flush();

    std::string _path;
    process::descriptor _file;
    std::string _part;
    std::string _error;
    std::uint64_t _lines = 0;
    bool _restarted = false;
};

}  // namespace postern::agent
