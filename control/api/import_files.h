// The folder of imports that are not over: each one's file (ID.csv) and record (ID.json), for the next process too.
#pragma once

#include <string>
#include <vector>

#include "board/process/files.h"
#include "control/api/import_record.h"

namespace postern::api {

class import_files {
public:
    /// `folder` is made (0700).
    static process::result<import_files> open(const std::string& folder);

    const std::string& folder() const noexcept { return _folder; }
    std::string file_of(const std::string& id) const { return _folder + "/" + id + ".csv"; }

    /// Renames an upload of this folder, whose content is on disk (`sync_file`), into an import's keeping.
    process::result<void> take(const std::string& upload, const std::string& id) const;
    /// Writes the record. False: there is no room for it, which is logged.
    bool keep(const import_record& of) const;
    /// A process that begins now knows nothing of the import.
    void forget(const std::string& id) const;
    /// `forget`, and its file.
    void drop(const std::string& id) const;
    /// What an earlier process left, oldest first. All else in the folder is removed: uploads and exports cut off,
    /// files without a record, and records that can't be read, which is logged.
    std::vector<import_record> recover() const;

private:
    explicit import_files(std::string folder) : _folder(std::move(folder)) {}
    std::string record_of(const std::string& id) const { return _folder + "/" + id + ".json"; }
    std::vector<import_record> read_all(const std::vector<std::string>& paths) const;

    std::string _folder;
};

}  // namespace postern::api
