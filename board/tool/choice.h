// Which profile is meant, and how a command says no.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "board/profiles/profile.h"
#include "board/tool/tool.h"

namespace postern::board_tool {

/// Each sentence on a line of standard error; returns `refused`.
int complain(const std::vector<std::string>& problems, const streams& with);

/// The profile of that name; the error says which there are. It lives as long as `known`.
tl::expected<const profiles::profile*, std::string> find_profile(const std::vector<profiles::profile>& known,
                                                                 const std::string& name);

/// The first that has a device on this machine, those for real ones first.
tl::expected<const profiles::profile*, std::string> first_that_fits(const std::vector<profiles::profile>& known,
                                                                    const machine::machine& on);

}  // namespace postern::board_tool
