#include "smtp/recipients/tool/lists.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

#include "board/process/files.h"
#include "smtp/recipients/domain_index.h"

namespace postern::recipients::tool {
namespace {

tl::expected<std::shared_ptr<const table>, std::string> load(const std::string& path) {
    const process::descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) {
        return tl::unexpected(process::errno_text("open", path, errno));
    }
    return table::load_file(file.get(), path);
}

}  // namespace

int complain(const streams& with, std::string_view text) {
    with.err << "postern-table: " << text << '\n';
    return refused;
}

tl::expected<address_list, std::string> read_list(const std::string& name, const domain_finder& find,
                                                  const streams& with) {
    address_list list;
    if (name == "-") {
        list.read(with.in, find);
        return list;
    }
    std::ifstream file(name);
    if (!file) {
        return tl::unexpected(process::errno_text("read", name, errno));
    }
    list.read(file, find);
    if (file.bad()) {
        return tl::unexpected(process::errno_text("read", name, errno));
    }
    return list;
}

bool accept_bad_lines(const address_list& list, const std::string& name, bool skip, const streams& with) {
    constexpr std::size_t shown = 20;
    const auto& bad = list.bad();
    for (std::size_t i = 0; i < std::min(bad.size(), shown); ++i) {
        with.err << (name == "-" ? "standard input" : name) << ':' << bad[i].line << ": " << bad[i].reason << '\n';
    }
    if (bad.size() > shown) {
        with.err << "... and " << bad.size() - shown << " more bad lines\n";
    }
    if (!bad.empty() && !skip) {
        complain(with, std::to_string(bad.size()) + " bad lines, nothing written; correct them or use --skip-bad");
        return false;
    }
    return true;
}

tl::expected<loaded_tables, std::string> load_tables(const std::string& file, const std::string& overlay) {
    loaded_tables loaded;
    auto first = load(file);
    if (!first) {
        return tl::unexpected(first.error());
    }
    loaded.base = *std::move(first);
    if (overlay.empty() && loaded.base->facts().is_overlay) {
        return loaded;
    }
    if (!overlay.empty()) {
        auto over = load(overlay);
        if (!over) {
            return tl::unexpected(over.error());
        }
        loaded.overlay = *std::move(over);
    }
    const std::uint64_t generation = (loaded.overlay ? loaded.overlay : loaded.base)->facts().generation;
    auto both = make_snapshot(generation, loaded.base, loaded.overlay);
    if (!both) {
        return tl::unexpected((overlay.empty() ? file : overlay) + ": " + both.error());
    }
    loaded.both = *std::move(both);
    return loaded;
}

domain_finder finder_of(const domain_index& domains) {
    return [&domains](std::string_view name) {
        const auto* const entry = domains.find(name);
        return entry == nullptr ? served_domain{} : served_domain{entry->settings->id, entry->settings->name};
    };
}

}  // namespace postern::recipients::tool
