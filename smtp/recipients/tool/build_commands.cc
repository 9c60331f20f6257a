// postern-table build and overlay.
#include <array>
#include <boost/json.hpp>
#include <unordered_map>

#include "smtp/recipients/domain_index.h"
#include "smtp/recipients/tool/domain_words.h"
#include "smtp/recipients/tool/lists.h"

namespace postern::recipients::tool {
namespace {

void report(const std::string& output, const build_report& built, std::uint64_t generation, std::uint64_t removals,
            std::uint64_t repeated, std::size_t bad, bool json, const streams& with) {
    if (json) {
        const boost::json::value facts = {
            {"file", output},       {"generation", generation},    {"addresses", built.addresses},
            {"removals", removals}, {"octets", built.file_octets}, {"repeated", repeated},
            {"bad_lines", bad},     {"rekeys", built.rekeys}};
        with.out << facts << '\n';
        return;
    }
    with.out << output << ": generation " << generation << ", " << built.addresses << " addresses";
    if (removals != 0) {
        with.out << ", " << removals << " removals";
    }
    with.out << ", " << built.file_octets << " octets\n";
    if (repeated != 0) {
        with.out << repeated << " lines repeat an address and were counted once\n";
    }
}

/// Writes a line for each further tenth that is placed.
std::function<void(std::uint64_t, std::uint64_t)> percent_teller(std::ostream& to) {
    return [&to, told = std::uint64_t{0}](std::uint64_t placed, std::uint64_t all) mutable {
        const std::uint64_t tenths = all == 0 ? 10 : placed * 10 / all;
        if (tenths != told) {
            told = tenths;
            to << "placed " << placed << " of " << all << " addresses, " << tenths * 10 << " %" << std::endl;
        }
    };
}

/// Serves every domain that it is asked for.
class open_section {
public:
    explicit open_section(mode of) : _mode(of) {}

    served_domain find(std::string_view name) {
        const auto found = _ids.find(std::string(name));
        if (found != _ids.end()) {
            return {found->second, name};
        }
        domain_settings domain;
        domain.id = domain.target = static_cast<std::uint32_t>(_section.domains.size() + 1);
        domain.name = name;
        domain.mode = _mode;
        _section.domains.push_back(domain);
        _ids.emplace(domain.name, domain.id);
        return {domain.id, name};
    }
    const domain_section& section() const noexcept { return _section; }

private:
    mode _mode;
    domain_section _section;
    std::unordered_map<std::string, std::uint32_t> _ids;
};

}  // namespace

int build(const build_arguments& given, const streams& with) {
    mode otherwise = mode::enforce;
    if (!parse_mode(given.mode, otherwise)) {
        complain(with, "'" + given.mode + "' is no mode: observe, discover, defer or enforce");
        return misused;
    }
    const auto named = parse_domain_words(given.domains, otherwise);
    if (!named) {
        complain(with, named.error());
        return misused;
    }
    open_section open(otherwise);
    std::unordered_map<std::string_view, served_domain> by_name;
    for (const domain_settings& domain : named->domains) {
        by_name.emplace(domain.name, find_domain(*named, domain.name));
    }
    const bool all = given.domains.empty();
    const auto list = read_list(
        given.list,
        [&](std::string_view name) {
            if (all) {
                return open.find(name);
            }
            const auto found = by_name.find(name);
            return found == by_name.end() ? served_domain{} : found->second;
        },
        with);
    if (!list) {
        return complain(with, list.error());
    }
    if (!accept_bad_lines(*list, given.list, given.skip_bad, with)) {
        return refused;
    }
    const auto addresses = list->addresses();
    build_effort effort;
    effort.threads = given.threads;
    if (given.progress) {
        effort.progress = percent_teller(with.err);
    }
    const auto give_all = [&](const auto& sink) {
        for (const listed_address& address : addresses) {
            sink(address);
        }
    };
    const auto built = build_base(given.output, given.generation, all ? open.section() : *named, give_all, effort);
    if (!built) {
        return complain(with, built.error());
    }
    report(given.output, *built, given.generation, 0, list->repeated(), list->bad().size(), given.json, with);
    return good;
}

int overlay(const overlay_arguments& given, const streams& with) {
    const auto base = load_tables(given.base, "");
    if (!base) {
        return complain(with, base.error());
    }
    if (base->both == nullptr) {
        return complain(with, given.base + " is an overlay; an overlay is built over a base");
    }
    const domain_finder find = finder_of(*base->both->domains);
    if (given.add == "-" && given.remove == "-") {
        complain(with, "--add and --remove can't both read standard input");
        return misused;
    }
    std::array<address_list, 2> lists;
    const std::array<const std::string*, 2> names{&given.add, &given.remove};
    for (std::size_t i = 0; i < lists.size(); ++i) {
        if (names[i]->empty()) {
            continue;
        }
        auto read = read_list(*names[i], find, with);
        if (!read) {
            return complain(with, read.error());
        }
        if (!accept_bad_lines(*read, *names[i], given.skip_bad, with)) {
            return refused;
        }
        lists[i] = *std::move(read);
    }
    std::vector<std::string> removed;
    for (const listed_address& address : lists[1].addresses()) {
        removed.emplace_back(address.text);
    }
    const auto added = lists[0].addresses();
    const auto built = build_overlay(given.output, given.generation, given.base, nullptr, added, removed);
    if (!built) {
        return complain(with, built.error());
    }
    report(given.output, *built, given.generation, removed.size(), lists[0].repeated() + lists[1].repeated(),
           lists[0].bad().size() + lists[1].bad().size(), given.json, with);
    return good;
}

}  // namespace postern::recipients::tool
