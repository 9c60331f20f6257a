// postern-board probe and doctor.
#include <unistd.h>

#include <ostream>

#include "board/doctor/doctor.h"
#include "board/machine/describe.h"
#include "board/process/files.h"
#include "board/tool/choice.h"
#include "board/tool/tool.h"

namespace postern::board_tool {
namespace {

constexpr std::size_t longest_file = 1 << 20;
const std::string usual_file = "/etc/postern/edge.toml";

tl::expected<profiles::edge_part, std::vector<std::string>> part_of_file(const std::string& path) {
    const auto text = process::read_file(path, longest_file);
    if (!text) {
        return tl::unexpected(std::vector<std::string>{text.error() + "; name another file with --config"});
    }
    return profiles::parse_edge_part(*text, path);
}

/// What is wanted: a file's transport, or a profile's, or that of the first profile that fits.
tl::expected<profiles::edge_part, std::vector<std::string>> wanted(const doctor_arguments& arguments,
                                                                   const std::vector<profiles::profile>& known,
                                                                   const machine::machine& on, std::string& by) {
    if (arguments.profile.empty()) {
        const std::string file = arguments.config.empty() ? usual_file : arguments.config;
        if (!arguments.config.empty() || ::access(file.c_str(), R_OK) == 0) {
            by = file;
            return part_of_file(file);
        }
    }
    const auto chosen = arguments.profile.empty() ? first_that_fits(known, on) : find_profile(known, arguments.profile);
    if (!chosen) {
        return tl::unexpected(std::vector<std::string>{chosen.error()});
    }
    by = "profile " + (*chosen)->name;
    auto plan = profiles::plan_for(**chosen, on, arguments.device);
    if (!plan) {
        return tl::unexpected(std::vector<std::string>{plan.error()});
    }
    return *plan;
}

}  // namespace

int probe(const common_arguments& common, const streams& with) {
    const machine::machine seen = machine::look_at(machine::tree(common.root));
    with.out << (common.json ? machine::as_json(seen) : machine::as_text(seen));
    return good;
}

int examine(const common_arguments& common, const doctor_arguments& arguments, const streams& with) {
    const machine::machine seen = machine::look_at(machine::tree(common.root));
    const auto known = profiles::read_profiles(common.profiles);
    if (!known) {
        return complain(known.error(), with);
    }
    std::string by;
    const auto part = wanted(arguments, *known, seen, by);
    if (!part) {
        return complain(part.error(), with);
    }
    doctor::wishes want;
    want.edge = *part;
    want.known = *known;
    const auto findings = doctor::examine(seen, want);
    if (!common.json) {
        with.out << "by " << by << (part->device.empty() ? "" : ", port " + part->device) << ":\n";
    }
    with.out << (common.json ? doctor::as_json(findings) : doctor::as_text(findings));
    return doctor::any_error(findings) ? refused : good;
}

}  // namespace postern::board_tool
