// A machine's files (sysfs, procfs, /dev) below a root path: "/" is this machine, any other folder a record of one.
//
// What can't be read is absent: a kernel without a feature has no file for it. Paths are relative to the root.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::machine {

class tree {
public:
    explicit tree(std::string root);

    /// The file without white space at its end; nothing if it is not there, can't be read or has over 1 MiB.
    std::optional<std::string> text(const std::string& path) const;
    /// A file that holds one number, decimal or with 0x; nothing if it does not.
    std::optional<std::int64_t> number(const std::string& path) const;
    /// What the folder holds, by name, in order; empty if there is no such folder.
    std::vector<std::string> names(const std::string& path) const;
    bool has(const std::string& path) const;
    /// The last part of a link's target ("../../drivers/ixgbe": "ixgbe"); nothing if there is no such link.
    std::optional<std::string> link_name(const std::string& path) const;
    /// The whole target.
    std::optional<std::string> link_target(const std::string& path) const;

private:
    std::string at(const std::string& path) const { return _root + path; }

    std::string _root;  ///< with a slash at its end
};

/// Decimal or 0x…; the whole text has to be the number.
std::optional<std::int64_t> parse_number(std::string_view text);
/// Pieces of `text` between any of the characters of `separators`; empty ones are left out.
std::vector<std::string_view> pieces(std::string_view text, std::string_view separators);

}  // namespace postern::machine
