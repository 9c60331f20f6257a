#include "perf/rig/recipient_list.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "board/process/files.h"
#include "perf/rig/recipients.h"
#include "smtp/recipients/builder.h"
#include "smtp/recipients/table.h"

namespace postern::perf::rig {
namespace {

using namespace postern::recipients;  // NOLINT(google-build-using-namespace): a program's own file

/// A folder for one file, gone with the object.
class scratch_folder {
public:
    scratch_folder() { _made = ::mkdtemp(_name.data()) != nullptr; }
    ~scratch_folder() {
        if (_made) {
            ::unlink(file().c_str());
            ::rmdir(_name.data());
        }
    }
    scratch_folder(const scratch_folder&) = delete;
    scratch_folder& operator=(const scratch_folder&) = delete;
    bool made() const noexcept { return _made; }
    std::string file() const { return _name + "/recipients.table"; }

private:
    std::string _name = "/tmp/postern-path-XXXXXX";
    bool _made = false;
};

}  // namespace

tl::expected<std::unique_ptr<const snapshot>, std::string> make_recipients(std::uint64_t count, std::uint32_t domains) {
    const scratch_folder folder;
    if (!folder.made()) {
        return tl::unexpected(std::string("no folder in /tmp for the table: ") + std::strerror(errno));
    }
    domain_section section;
    for (std::uint32_t i = 0; i < domains; ++i) {
        domain_settings one;
        one.id = one.target = i + 1;
        one.name = rig::domain;
        put_domain(i, one.name.data());
        one.mode = mode::enforce;
        section.domains.push_back(std::move(one));
    }
    const auto built = build_base(folder.file(), 1, section, [&](const auto& sink) {
        std::string text(local_size, ' ');
        text += '@';
        text += rig::domain;
        for (std::uint64_t i = 0; i < count; ++i) {
            const auto its_domain = static_cast<std::uint32_t>(i % domains);
            put_local(i, true, text.data());
            put_domain(its_domain, text.data() + local_size + 1);
            sink(listed_address{.text = text, .domain = its_domain + 1});
        }
    });
    if (!built) {
        return tl::unexpected(built.error());
    }
    const process::descriptor fd(::open(folder.file().c_str(), O_RDONLY | O_CLOEXEC));
    const auto loaded = table::load_file(fd.get(), folder.file());
    if (!loaded) {
        return tl::unexpected(loaded.error());
    }
    return make_snapshot(1, *loaded, nullptr);
}

}  // namespace postern::perf::rig
