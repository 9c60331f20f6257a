// postern-board profile list, show and apply.
#include <sys/stat.h>

#include <algorithm>
#include <boost/json.hpp>
#include <ostream>

#include "board/process/files.h"
#include "board/profiles/edge_text.h"
#include "board/tool/choice.h"
#include "board/tool/tool.h"

namespace postern::board_tool {
namespace {

namespace json = boost::json;

constexpr std::size_t longest_file = 1 << 20;
constexpr mode_t usual_mode = 0644;
constexpr mode_t all_bits = 07777;

std::string listed(const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& word : words) {
        out += (out.empty() ? "" : ", ") + word;
    }
    return out;
}

}  // namespace

int complain(const std::vector<std::string>& problems, const streams& with) {
    for (const std::string& problem : problems) {
        with.err << "postern-board: " << problem << '\n';
    }
    return refused;
}

tl::expected<const profiles::profile*, std::string> find_profile(const std::vector<profiles::profile>& known,
                                                                 const std::string& name) {
    const auto at = std::find_if(known.begin(), known.end(), [&](const auto& each) { return each.name == name; });
    if (at == known.end()) {
        std::vector<std::string> names;
        for (const profiles::profile& each : known) {
            names.push_back(each.name);
        }
        return tl::unexpected("there is no profile '" + name + "'; there are: " + listed(names));
    }
    return &*at;
}

tl::expected<const profiles::profile*, std::string> first_that_fits(const std::vector<profiles::profile>& known,
                                                                    const machine::machine& on) {
    for (const bool of_virtual : {false, true}) {
        for (const profiles::profile& each : known) {
            if (each.is_virtual() == of_virtual && !profiles::devices_for(each, on).empty()) {
                return &each;
            }
        }
    }
    return tl::unexpected(std::string("no profile fits this machine; name an edge.toml with --config"));
}

int list_profiles(const common_arguments& common, const streams& with) {
    const auto known = profiles::read_profiles(common.profiles);
    if (!known) {
        return complain(known.error(), with);
    }
    const machine::machine seen = machine::look_at(machine::tree(common.root));
    json::array all;
    for (const profiles::profile& each : *known) {
        const auto devices = profiles::devices_for(each, seen);
        if (common.json) {
            all.push_back(
                {{"name", each.name}, {"about", each.about}, {"devices", json::array(devices.begin(), devices.end())}});
        } else {
            with.out << each.name << ": " << each.about << "\n    "
                     << (devices.empty() ? "no device of this machine" : "fits: " + listed(devices)) << '\n';
        }
    }
    if (common.json) {
        with.out << json::serialize(all) << '\n';
    }
    return good;
}

int show_profile(const common_arguments& common, const std::string& name, const streams& with) {
    const auto known = profiles::read_profiles(common.profiles);
    if (!known) {
        return complain(known.error(), with);
    }
    const auto chosen = find_profile(*known, name);
    if (!chosen) {
        return complain({chosen.error()}, with);
    }
    const std::string file = common.profiles + "/" + name + ".toml";
    const auto text = process::read_file(file, longest_file);
    if (!text) {
        return complain({text.error()}, with);
    }
    with.out << "# " << file << '\n' << *text;
    const auto plan = profiles::plan_for(**chosen, machine::look_at(machine::tree(common.root)), "");
    with.out << "\n# on this machine:\n"
             << (plan ? profiles::section_text(profiles::keys_of(*plan, (*chosen)->mac, {}, {}))
                      : "# " + plan.error() + "\n");
    return good;
}

int apply_profile(const common_arguments& common, const apply_arguments& arguments, const streams& with) {
    const auto known = profiles::read_profiles(common.profiles);
    if (!known) {
        return complain(known.error(), with);
    }
    const auto chosen = find_profile(*known, arguments.name);
    if (!chosen) {
        return complain({chosen.error()}, with);
    }
    const auto plan = profiles::plan_for(**chosen, machine::look_at(machine::tree(common.root)), arguments.device);
    if (!plan) {
        return complain({plan.error()}, with);
    }
    const auto keys = profiles::keys_of(*plan, (*chosen)->mac, arguments.addresses, arguments.gateways);
    if (arguments.config.empty()) {
        with.out << profiles::section_text(keys);
        if (arguments.addresses.empty()) {
            with.err << "postern-board: [port] needs addresses, too; give them with --address\n";
        }
        return good;
    }
    const auto text = process::read_file(arguments.config, longest_file);
    if (!text) {
        return complain({text.error()}, with);
    }
    const auto changed = profiles::with_keys(*text, keys, arguments.config);
    if (!changed) {
        return complain({changed.error()}, with);
    }
    const auto part = profiles::parse_edge_part(*changed, arguments.config);
    if (part && part->addresses.empty()) {
        return complain({arguments.config + " names no addresses for the port; give them with --address 192.0.2.1/24"},
                        with);
    }
    struct stat facts {};
    const mode_t mode = ::stat(arguments.config.c_str(), &facts) == 0 ? facts.st_mode & all_bits : usual_mode;
    if (const auto done = process::replace_file(arguments.config, *changed, mode); !done) {
        return complain({done.error()}, with);
    }
    with.out << arguments.config << ": profile " << arguments.name << " for " << plan->device << ", " << plan->shards
             << (plan->shards == 1 ? " shard" : " shards") << ", " << plan->memory_mib
             << " MiB\nnext: postern-board doctor --config " << arguments.config << '\n';
    return good;
}

}  // namespace postern::board_tool
