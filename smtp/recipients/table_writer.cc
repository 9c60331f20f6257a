#include "smtp/recipients/table_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "smtp/recipients/placing_crew.h"
#include "smtp/recipients/siphash.h"

namespace postern::recipients {

using format::section_name;

tl::expected<table_writer, std::string> table_writer::create(const std::string& path) {
    const std::filesystem::path whole(path);
    const std::string folder = whole.has_parent_path() ? whole.parent_path().string() : ".";
    if (!whole.has_filename()) {
        return tl::unexpected("cannot write " + path + ": it names a folder");
    }
    process::descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!opened) {
        return tl::unexpected(process::errno_text("open the folder", folder, errno));
    }
    std::string temporary = "." + whole.filename().string() + ".new";
    constexpr mode_t access = 0640;
    process::descriptor file(
        ::openat(opened.get(), temporary.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, access));
    if (!file) {
        return tl::unexpected(process::errno_text("create", folder + "/" + temporary, errno));
    }
    return table_writer(path, std::move(temporary), std::move(opened), std::move(file));
}

table_writer::~table_writer() {
    if (_folder && !_committed) {
        ::unlinkat(_folder.get(), _temporary.c_str(), 0);
    }
}

table_writer::result table_writer::put(std::uint64_t offset, std::span<const std::byte> octets) {
    while (!octets.empty()) {
        const ssize_t n = ::pwrite(_file.get(), octets.data(), octets.size(), static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return tl::unexpected(process::errno_text("write", _path, errno));
        }
        octets = octets.subspan(static_cast<std::size_t>(n));
        offset += static_cast<std::uint64_t>(n);
    }
    return {};
}

tl::expected<table_writer::put_result, std::string> table_writer::put_lines(format::header& head, const content& of,
                                                                            std::span<std::uint8_t> pilots,
                                                                            const build_effort& with) {
    const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> sum(XXH3_createState(), &XXH3_freeState);
    XXH3_64bits_reset(sum.get());
    placing_crew crew({placement(head), of.entries, of.partition_ends, pilots}, with.threads);
    std::uint64_t offset = head.at(section_name::lines).offset;
    for (const std::uint64_t end : of.partition_ends) {
        const placing_crew::partition& done = crew.next();
        if (done.how != placed::whole) {
            return put_result{done.how, done.shared_hash};
        }
        const auto octets = std::as_bytes(std::span(done.lines));
        XXH3_64bits_update(sum.get(), octets.data(), octets.size());
        if (auto written = put(offset, octets); !written) {
            return tl::unexpected(written.error());
        }
        offset += octets.size();
        if (with.progress) {
            with.progress(end, of.entries.size());
        }
    }
    head.at(section_name::lines).checksum = XXH3_64bits_digest(sum.get());
    return put_result{placed::whole, 0};
}

tl::expected<table_writer::outcome, std::string> table_writer::write(format::header& head, const content& of,
                                                                     const build_effort& with) {
    constexpr unsigned most_attempts = 16;
    const auto domains = std::as_bytes(std::span(of.domains));
    const auto removals = std::as_bytes(of.removals);
    head.addresses = of.entries.size();
    head.removals = of.removals.size();
    std::uint64_t fullest = 0;
    for (std::size_t p = 0; p < of.partition_ends.size(); ++p) {
        fullest = std::max(fullest, of.partition_ends[p] - (p == 0 ? 0 : of.partition_ends[p - 1]));
    }
    std::vector<std::uint8_t> pilots(head.buckets());
    outcome done;
    for (;; ++done.resaltings) {
        if (done.resaltings == most_attempts) {
            return tl::unexpected("cannot build " + _path + ": the addresses did not fit in " +
                                  std::to_string(most_attempts) + " attempts");
        }
        head.lines_per_partition = choose_lines(fullest, done.resaltings);
        // Another salt, in case two fingerprints could not be kept apart.
        head.salt = siphash13({head.key.k0, head.key.k1 ^ done.resaltings}, "postern table salt");
        head.at(section_name::domains) = {0, domains.size(), format::checksum(domains)};
        head.at(section_name::removals) = {0, removals.size(), format::checksum(removals)};
        head.at(section_name::pilots).octets = pilots.size();
        head.at(section_name::lines).octets = head.lines() * sizeof(line);
        format::lay_out(head);
        const auto put = put_lines(head, of, pilots, with);
        if (!put) {
            return tl::unexpected(put.error());
        }
        if (put->how == placed::same_hash) {
            done.shared_hash = put->shared_hash;
            return done;
        }
        if (put->how == placed::whole) {
            break;
        }
    }
    const auto pilot_octets = std::as_bytes(std::span(pilots));
    head.at(section_name::pilots).checksum = format::checksum(pilot_octets);
    const auto encoded = format::encode(head);
    for (const auto& [offset, octets] : {std::pair{head.at(section_name::domains).offset, domains},
                                         std::pair{head.at(section_name::removals).offset, removals},
                                         std::pair{head.at(section_name::pilots).offset, pilot_octets},
                                         std::pair{std::uint64_t{0}, std::span<const std::byte>(encoded)}}) {
        if (auto written = put(offset, octets); !written) {
            return tl::unexpected(written.error());
        }
    }
    if (auto committed = commit(head.file_octets); !committed) {
        return tl::unexpected(committed.error());
    }
    done.written = true;
    return done;
}

table_writer::result table_writer::commit(std::uint64_t file_octets) {
    if (::ftruncate(_file.get(), static_cast<off_t>(file_octets)) != 0 || ::fsync(_file.get()) != 0) {
        return tl::unexpected(process::errno_text("write", _path, errno));
    }
    const std::string name = std::filesystem::path(_path).filename().string();
    if (::renameat(_folder.get(), _temporary.c_str(), _folder.get(), name.c_str()) != 0) {
        return tl::unexpected(process::errno_text("replace", _path, errno));
    }
    _committed = true;
    if (::fsync(_folder.get()) != 0) {
        return tl::unexpected(process::errno_text("sync the folder of", _path, errno));
    }
    return {};
}

}  // namespace postern::recipients
