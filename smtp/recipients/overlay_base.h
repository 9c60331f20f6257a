// The base file as the builder of an overlay needs it: its key and domains, and where its addresses lie. Reads the few
// octets it is asked for instead of the whole file, so that an overlay is made in milliseconds.
//
// The file is control's own work; header and domains are checked, the rest is bounded and checked by the edge.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "board/process/files.h"
#include "smtp/recipients/builder.h"
#include "smtp/recipients/format.h"
#include "smtp/recipients/line.h"

namespace postern::recipients {

class overlay_base {
public:
    static tl::expected<overlay_base, std::string> open(const std::string& path);

    const format::header& header() const noexcept { return _header; }
    tl::expected<domain_section, std::string> domains() const;
    /// Line * 10 + position of an address that the base has; an error that names it if it has not.
    tl::expected<std::uint64_t, std::string> slot_of(std::string_view text) const;

private:
    overlay_base(std::string path, process::descriptor file, const format::header& header)
        : _path(std::move(path)), _file(std::move(file)), _header(header) {}

    tl::expected<void, std::string> read(std::uint64_t offset, void* into, std::size_t octets) const;

    std::string _path;
    process::descriptor _file;
    format::header _header;
};

}  // namespace postern::recipients
