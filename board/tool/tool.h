// postern-board: what the machine is, what is wrong with it for the packet path, and profiles. docs/man/postern-board.8
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace postern::board_tool {

constexpr int good = 0;
constexpr int refused = 1;
constexpr int misused = 2;

struct streams {
    std::ostream& out;
    std::ostream& err;
};

/// The program, without its name. `profiles`: the folder of profiles unless the command line names one.
int run(const std::vector<std::string>& arguments, const std::string& profiles, const streams& with);

struct common_arguments {
    std::string root = "/";
    std::string profiles;
    bool json = false;
};

struct doctor_arguments {
    std::string config;  ///< empty: the usual place, if there is one
    std::string profile;
    std::string device;
};

struct apply_arguments {
    std::string name;
    std::string config;  ///< empty: the part is shown
    std::string device;
    std::vector<std::string> addresses;
    std::vector<std::string> gateways;
};

int probe(const common_arguments& common, const streams& with);
int examine(const common_arguments& common, const doctor_arguments& arguments, const streams& with);
int list_profiles(const common_arguments& common, const streams& with);
int show_profile(const common_arguments& common, const std::string& name, const streams& with);
int apply_profile(const common_arguments& common, const apply_arguments& arguments, const streams& with);

}  // namespace postern::board_tool
