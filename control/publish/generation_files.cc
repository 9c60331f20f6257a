#include "control/publish/generation_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <vector>

#include "board/process/files.h"
#include "board/process/log.h"

namespace postern::publish {

namespace {

constexpr std::string_view suffix = ".table";
constexpr std::size_t digits = 12;  // so that names sort as their numbers do

std::string name(std::string_view kind, std::uint64_t number) {
    const std::string text = std::to_string(number);
    return std::string(kind) + '-' + std::string(digits - std::min(digits, text.size()), '0') + text +
           std::string(suffix);
}

}  // namespace

std::string base_name(std::uint64_t number) {
    return name("base", number);
}
std::string overlay_name(std::uint64_t number) {
    return name("overlay", number);
}

std::uint64_t number_of(std::string_view file) noexcept {
    for (const std::string_view prefix : {"base-", "overlay-"}) {
        if (file.starts_with(prefix) && file.ends_with(suffix) &&
            file.size() >= prefix.size() + digits + suffix.size()) {
            const char* begin = file.data() + prefix.size();
            const char* end = file.data() + file.size() - suffix.size();
            std::uint64_t out = 0;
            const auto [stop, code] = std::from_chars(begin, end, out);
            return code == std::errc() && stop == end ? out : 0;
        }
    }
    return 0;
}

bool is_generation_file(std::string_view file) noexcept {
    return number_of(file) != 0;
}

tl::expected<std::uint64_t, std::string> open_folder(const std::string& folder) {
    std::error_code code;
    if (::mkdir(folder.c_str(), 0750) != 0 && errno != EEXIST) {
        return tl::unexpected(process::errno_text("make the tables folder", folder, errno) +
                              "; make it, or correct the path in control.toml");
    }
    if (!std::filesystem::is_directory(folder, code)) {
        return tl::unexpected("the tables folder " + folder + " is not a folder; correct the path in control.toml");
    }
    if (::access(folder.c_str(), R_OK | W_OK | X_OK) != 0) {
        return tl::unexpected(process::errno_text("write the tables folder", folder, errno) +
                              "; the user that runs postern-control must own it");
    }
    std::uint64_t highest = 0;
    std::vector<std::string> left;
    for (const auto& each : std::filesystem::directory_iterator(folder, code)) {
        const std::string file = each.path().filename().string();
        highest = std::max(highest, number_of(file));
        // The builder writes ".NAME.new" and renames it.
        if (file.starts_with('.') && file.ends_with(".new") &&
            is_generation_file(std::string_view(file).substr(1, file.size() - 5))) {
            left.push_back(file);
        }
    }
    if (code) {
        return tl::unexpected("cannot list the tables folder " + folder + ": " + code.message());
    }
    for (const std::string& file : left) {
        std::filesystem::remove(std::filesystem::path(folder) / file, code);
    }
    return highest;
}

std::uint64_t remove_files(const std::string& folder, const std::set<std::string>& keep, std::uint64_t below) {
    std::error_code code;
    std::vector<std::string> unneeded;
    for (const auto& each : std::filesystem::directory_iterator(folder, code)) {
        std::string file = each.path().filename().string();
        const std::uint64_t number = number_of(file);
        if (number != 0 && number < below && !keep.contains(file)) {
            unneeded.push_back(std::move(file));
        }
    }
    std::uint64_t gone = 0;
    for (const std::string& file : unneeded) {
        if (std::filesystem::remove(std::filesystem::path(folder) / file, code)) {
            ++gone;
        } else if (code) {
            process::log(process::level::warn, "table_file_stays", {{"file", file}, {"error", code.message()}});
        }
    }
    return gone;
}

}  // namespace postern::publish
