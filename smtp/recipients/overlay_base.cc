#include "smtp/recipients/overlay_base.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <utility>
#include <vector>

#include "smtp/recipients/domain_codec.h"
#include "smtp/recipients/table_image.h"

namespace postern::recipients {

using format::section_name;

tl::expected<overlay_base, std::string> overlay_base::open(const std::string& path) {
    process::descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat about {};
    if (!file || ::fstat(file.get(), &about) != 0) {
        return tl::unexpected(process::errno_text("open", path, errno));
    }
    overlay_base base(path, std::move(file), {});
    std::array<std::byte, format::header_octets> head{};
    const auto size = static_cast<std::uint64_t>(about.st_size);
    const std::size_t front = size < head.size() ? static_cast<std::size_t>(size) : head.size();
    if (auto read = base.read(0, head.data(), front); !read) {
        return tl::unexpected(read.error());
    }
    auto header = format::decode(std::span(head).first(front), size);
    if (!header) {
        return tl::unexpected(path + ": " + header.error());
    }
    if (header->kind != format::file_kind::base) {
        return tl::unexpected(path + ": it is an overlay, an overlay is built over a base");
    }
    base._header = *header;
    return base;
}

tl::expected<void, std::string> overlay_base::read(std::uint64_t offset, void* into, std::size_t octets) const {
    auto* to = static_cast<std::byte*>(into);
    while (octets > 0) {
        const ssize_t n = ::pread(_file.get(), to, octets, static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return tl::unexpected(process::errno_text("read", _path, errno));
        }
        if (n == 0) {
            return tl::unexpected(_path + ": it ends at octet " + std::to_string(offset));
        }
        to += n;
        offset += static_cast<std::uint64_t>(n);
        octets -= static_cast<std::size_t>(n);
    }
    return {};
}

tl::expected<domain_section, std::string> overlay_base::domains() const {
    const format::section& where = _header.at(section_name::domains);
    std::vector<std::byte> octets(where.octets);
    if (auto done = read(where.offset, octets.data(), octets.size()); !done) {
        return tl::unexpected(done.error());
    }
    if (format::checksum(octets) != where.checksum) {
        return tl::unexpected(_path + ": domains section: checksum mismatch");
    }
    auto section = decode_domains(octets);
    if (!section) {
        return tl::unexpected(_path + ": domains section: " + section.error());
    }
    return section;
}

tl::expected<std::uint64_t, std::string> overlay_base::slot_of(std::string_view text) const {
    if (text.size() > max_hashed_text) {
        return tl::unexpected("address " + std::string(text) + " is too long to be in the base");
    }
    const placement where(_header);
    const std::uint64_t hash = siphash13(_header.key, text);
    const std::uint64_t bucket = where.bucket_of(hash);
    std::uint8_t pilot = 0;
    if (auto done = read(_header.at(section_name::pilots).offset + bucket, &pilot, 1); !done) {
        return tl::unexpected(done.error());
    }
    const std::uint64_t number = where.line_of(hash, bucket, pilot);
    line found;
    if (auto done = read(_header.at(section_name::lines).offset + number * sizeof(line), &found, sizeof found); !done) {
        return tl::unexpected(done.error());
    }
    if (found.count() > line::capacity) {
        return tl::unexpected(_path + ": line " + std::to_string(number) + " is malformed");
    }
    const fingerprint print = fingerprint_of(hash, _header.salt);
    for (std::uint32_t mask = match_low(found, print.low); mask != 0; mask &= mask - 1) {
        const auto position = static_cast<std::uint32_t>(std::countr_zero(mask));
        if (high_bits(found, position) == print.high) {
            return number * line::capacity + position;
        }
    }
    return tl::unexpected("address " + std::string(text) + " is to be removed, but the base " + _path +
                          " does not have it");
}

}  // namespace postern::recipients
