// postern-table: builds table files and shows what is in them. docs/man/postern-table.1
#pragma once

#include <istream>
#include <ostream>
#include <string>
#include <vector>

namespace postern::recipients::tool {

struct streams {
    std::istream& in;
    std::ostream& out;
    std::ostream& err;
};

enum exit_status : int {
    good = 0,
    refused = 1,  ///< a file, list or address is not as it should be
    misused = 2,  ///< the command line is wrong
};

/// The program; `arguments` without its name.
int run(const std::vector<std::string>& arguments, const streams& with);

struct build_arguments {
    std::string output;
    std::string list = "-";
    std::uint64_t generation = 1;
    std::vector<std::string> domains;
    std::string mode = "enforce";
    unsigned threads = 1;
    bool progress = false;
    bool skip_bad = false;
    bool json = false;
};
int build(const build_arguments& given, const streams& with);

struct overlay_arguments {
    std::string output;
    std::string base;
    std::uint64_t generation = 1;
    std::string add;
    std::string remove;
    bool skip_bad = false;
    bool json = false;
};
int overlay(const overlay_arguments& given, const streams& with);

struct view_arguments {
    std::string file;
    std::string overlay;
    std::vector<std::string> addresses;  ///< lookup
    std::string list;                    ///< verify
    bool json = false;
};
int inspect(const view_arguments& given, const streams& with);
int lookup(const view_arguments& given, const streams& with);
int verify(const view_arguments& given, const streams& with);

}  // namespace postern::recipients::tool
