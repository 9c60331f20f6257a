// Table files: any octets are refused with a reason, or are a table on which every lookup stays within bounds.
//
// Checksums would keep the fuzzer out, so each input is also tried with them made right; an overlay is then put over a
// base of the target's own.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "board/process/files.h"
#include "smtp/recipients/builder.h"
#include "smtp/recipients/domain_codec.h"
#include "smtp/recipients/domain_index.h"
#include "smtp/recipients/format.h"
#include "smtp/recipients/octets.h"
#include "smtp/recipients/snapshot.h"
#include "smtp/recipients/table.h"
#include "smtp/recipients/table_image.h"

namespace {

using namespace postern;
using namespace postern::recipients;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

std::shared_ptr<const table> make_base() {
    domain_section domains;
    domain_settings domain;
    domain.id = domain.target = 1;
    domain.name = "example.com";
    domains.domains.push_back(domain);
    std::string path = "/tmp/postern-fuzz-XXXXXX";
    const process::descriptor file(::mkstemp(path.data()));
    require(static_cast<bool>(file));
    const auto built = build_base(path, 1, domains, [](const auto& sink) {
        for (int i = 0; i < 100; ++i) {
            sink({"user" + std::to_string(i) + "@example.com", 1, mailbox_kind::user, false, false});
        }
    });
    require(built.has_value());
    const process::descriptor written(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    auto loaded = table::load_file(written.get(), path);
    ::unlink(path.c_str());
    require(loaded.has_value());
    return *loaded;
}

const std::shared_ptr<const table>& base() {
    static const std::shared_ptr<const table> made = make_base();
    return made;
}

void ask(const snapshot& in) {
    static lookup_batch batch;
    static normal_address address;
    std::vector<std::string> names = {"example.com", "nowhere.example"};
    for (const domain_settings& domain : in.domains->domains()) {
        if (names.size() < 6) {
            names.push_back(domain.name);
        }
    }
    for (const std::string& name : names) {
        for (const char* local : {"alice", "user1", "a+b", "prvs=1=x+y", "srs0=h=t=d=l", "postmaster", "\"a b\""}) {
            if (parse_address(local + ("@" + name), {}, address)) {
                batch.add(in, address, 1);
            }
        }
    }
    for (const lookup_batch::answer& answer : batch.resolve()) {
        const verdict& v = answer.verdict;
        require(v.standing != standing::listed || v.domain != nullptr);
        require(v.domain == nullptr || v.domain->target == v.domain->id);
        require(v.route == nullptr || *v.route != nullptr);
    }
}

void use(std::span<const std::byte> octets) {
    const auto loaded = table::load(octets);
    if (!loaded) {
        require(!loaded.error().empty());
        return;
    }
    const bool is_overlay = (*loaded)->facts().is_overlay;
    const auto made = is_overlay ? make_snapshot(2, base(), *loaded) : make_snapshot(2, *loaded, nullptr);
    if (made) {
        ask(**made);
    } else {
        require(is_overlay && !made.error().empty());
    }
}

/// Makes magic, version, key id and checksums right, and an overlay one over `base()`.
void mend(std::vector<std::byte>& octets) {
    if (octets.size() < format::header_octets) {
        return;
    }
    constexpr std::size_t sections_at = 112;
    std::byte* const at = octets.data();
    std::memcpy(at, format::magic.data(), format::magic.size());
    store_le(at + 8, format::version);
    hash_key key{load_le<std::uint64_t>(at + 32), load_le<std::uint64_t>(at + 40)};
    if (load_le<std::uint32_t>(at + 12) == 1) {
        const format::header& under = table_image::of(*base()).header();
        key = under.key;
        store_le(at + 24, under.generation);
        store_le(at + 32, key.k0);
        store_le(at + 40, key.k1);
    }
    store_le(at + 48, format::key_id_of(key));
    for (std::size_t i = 0; i < format::section_count; ++i) {
        std::byte* const section = at + sections_at + i * 24;
        const auto offset = load_le<std::uint64_t>(section);
        const auto size = load_le<std::uint64_t>(section + 8);
        if (offset <= octets.size() && size <= octets.size() - offset) {
            store_le(section + 16, format::checksum(std::span(octets).subspan(offset, size)));
        }
    }
    store_le(at + 248, format::checksum(std::span(octets).first(248)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::vector<std::byte> octets(size);
    if (size != 0) {
        std::memcpy(octets.data(), data, size);
    }
    use(octets);
    mend(octets);
    use(octets);
    // The domains section by itself: all of the input.
    const auto section = decode_domains(std::as_bytes(std::span(data, size)));
    if (section) {
        const std::string encoded = encode_domains(*section);
        require(encoded.size() == size && (size == 0 || std::memcmp(encoded.data(), data, size) == 0));
    }
    return 0;
}
