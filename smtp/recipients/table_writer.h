// Writes a table file section by section to a temporary beside it and puts it in place whole.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "board/process/files.h"
#include "smtp/recipients/builder.h"
#include "smtp/recipients/format.h"
#include "smtp/recipients/placer.h"

namespace postern::recipients {

class table_writer {
public:
    using result = tl::expected<void, std::string>;

    /// Creates the temporary `.NAME.new` in `path`'s folder. Mode 0640: the key in it is secret.
    static tl::expected<table_writer, std::string> create(const std::string& path);
    table_writer(table_writer&&) noexcept = default;
    table_writer& operator=(table_writer&&) = delete;
    ~table_writer();  ///< removes the temporary unless `commit` was reached

    struct content {
        std::string_view domains;                 ///< the encoded section
        std::span<const std::uint64_t> removals;  ///< ascending, none twice
        std::span<const keyed_entry> entries;     ///< by partition
        std::span<const std::uint64_t> partition_ends;
    };
    struct outcome {
        bool written = false;
        unsigned resaltings = 0;        ///< placements that did not fit
        std::uint64_t shared_hash = 0;  ///< if not written: two entries have this hash
    };

    /// Places the keys, writes all sections and the header, syncs, renames. `head` has kind, generations, key, domain
    /// counts and the partitions; lines, counts, salt and checksums are filled in. Not written if two hashes are equal.
    tl::expected<outcome, std::string> write(format::header& head, const content& of, const build_effort& with = {});

private:
    table_writer(std::string path, std::string temporary, process::descriptor folder, process::descriptor file)
        : _path(std::move(path)),
          _temporary(std::move(temporary)),
          _folder(std::move(folder)),
          _file(std::move(file)) {}

    struct put_result {
        placed how = placed::whole;
        std::uint64_t shared_hash = 0;
    };
    result put(std::uint64_t offset, std::span<const std::byte> octets);
    tl::expected<put_result, std::string> put_lines(format::header& head, const content& of,
                                                    std::span<std::uint8_t> pilots, const build_effort& with);
    result commit(std::uint64_t file_octets);

    std::string _path;
    std::string _temporary;  ///< name in the folder
    process::descriptor _folder;
    process::descriptor _file;
    bool _committed = false;
};

}  // namespace postern::recipients
