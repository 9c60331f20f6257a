#include "control/api/import_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "board/process/log.h"

namespace postern::api {

namespace {
constexpr std::size_t max_record = std::size_t{16} * 1024 * 1024;  ///< octets; a thousand row errors are far less
}

process::result<import_files> import_files::open(const std::string& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error || ::chmod(folder.c_str(), 0700) != 0) {
        return tl::unexpected("cannot make the folder " + folder + ": " +
                              (error ? error.message() : std::generic_category().message(errno)) +
                              "; give it to the user that postern-control runs as");
    }
    return import_files(folder);
}

process::result<void> import_files::take(const std::string& upload, const std::string& id) const {
    const std::string path = file_of(id);
    if (std::rename(upload.c_str(), path.c_str()) != 0) {
        return tl::unexpected(process::errno_text("keep", path, errno));
    }
    return {};
}

bool import_files::keep(const import_record& of) const {
    const auto written = process::replace_file(record_of(of.job.id), to_text(of), 0600);
    if (!written) {
        process::log(process::level::error, "import_not_kept", {{"import", of.job.id}, {"error", written.error()}});
    }
    return written.has_value();
}

void import_files::forget(const std::string& id) const {
    ::unlink(record_of(id).c_str());
}

void import_files::drop(const std::string& id) const {
    forget(id);  // first: a file without a record is of nobody
    ::unlink(file_of(id).c_str());
}

std::vector<import_record> import_files::read_all(const std::vector<std::string>& paths) const {
    std::vector<import_record> out;
    for (const std::string& path : paths) {
        const std::filesystem::path name(path);
        std::error_code error;
        if (name.extension() != ".json" || !std::filesystem::exists(file_of(name.stem()), error)) {
            continue;
        }
        const auto text = process::read_file(path, max_record);
        auto record = text ? parse_import_record(*text) : tl::unexpected(text.error());
        if (record && record->job.id == name.stem()) {
            out.push_back(std::move(*record));
        } else {
            process::log(process::level::error, "import_lost",
                         {{"file", path}, {"error", record ? "it is another import's" : record.error()}});
        }
    }
    return out;
}

std::vector<import_record> import_files::recover() const {
    std::error_code error;
    std::vector<std::string> paths;
    for (const auto& each : std::filesystem::directory_iterator(_folder, error)) {
        if (each.is_regular_file(error)) {
            paths.push_back(each.path());
        }
    }
    std::vector<import_record> out = read_all(paths);
    for (const std::string& path : paths) {
        const bool kept = std::ranges::any_of(
            out, [&](const import_record& of) { return path == record_of(of.job.id) || path == file_of(of.job.id); });
        if (!kept) {
            std::filesystem::remove(path, error);
        }
    }
    std::ranges::sort(out, {}, [](const import_record& of) { return of.job.created; });
    return out;
}

}  // namespace postern::api
