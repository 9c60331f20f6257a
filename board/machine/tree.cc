#include "board/machine/tree.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <utility>

#include "board/process/files.h"

namespace postern::machine {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t longest_file = 1 << 20;

}  // namespace

std::optional<std::int64_t> parse_number(std::string_view text) {
    const bool hexadecimal = text.starts_with("0x");
    text.remove_prefix(hexadecimal ? 2 : 0);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, hexadecimal ? 16 : 10);
    if (error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

std::vector<std::string_view> pieces(std::string_view text, std::string_view separators) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find_first_of(separators), text.size());
        if (end != 0) {
            out.push_back(text.substr(0, end));
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

tree::tree(std::string root) : _root(std::move(root)) {
    if (!_root.ends_with('/')) {
        _root += '/';
    }
}

std::optional<std::string> tree::text(const std::string& path) const {
    auto content = process::read_file(at(path), longest_file);
    if (!content) {
        return std::nullopt;
    }
    content->erase(content->find_last_not_of(" \t\r\n") + 1);
    return std::move(*content);
}

std::optional<std::int64_t> tree::number(const std::string& path) const {
    const auto content = text(path);
    return content ? parse_number(*content) : std::nullopt;
}

std::vector<std::string> tree::names(const std::string& path) const {
    std::vector<std::string> out;
    std::error_code problem;
    for (fs::directory_iterator at_entry(at(path), problem), end; !problem && at_entry != end;
         at_entry.increment(problem)) {
        out.push_back(at_entry->path().filename().string());
    }
    std::sort(out.begin(), out.end());
    return out;
}

bool tree::has(const std::string& path) const {
    std::error_code problem;
    return fs::exists(fs::symlink_status(at(path), problem));
}

std::optional<std::string> tree::link_target(const std::string& path) const {
    std::error_code problem;
    const fs::path target = fs::read_symlink(at(path), problem);
    return problem ? std::nullopt : std::optional(target.string());
}

std::optional<std::string> tree::link_name(const std::string& path) const {
    const auto target = link_target(path);
    return target ? std::optional(fs::path(*target).filename().string()) : std::nullopt;
}

}  // namespace postern::machine
