// The tables folder: names of generation files, and taking away those that nobody names any more.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace postern::publish {

std::string base_name(std::uint64_t number);     ///< "base-000000000042.table"
std::string overlay_name(std::uint64_t number);  ///< "overlay-000000000043.table"
/// True for a name that the above give. Other files in the folder are not ours.
bool is_generation_file(std::string_view name) noexcept;
/// The number in such a name; 0 for another.
std::uint64_t number_of(std::string_view name) noexcept;

/// Makes the folder if it is not there (mode 0750), checks that files can be made in it, removes what an interrupted
/// build left. The highest number of a generation file in it.
tl::expected<std::uint64_t, std::string> open_folder(const std::string& folder);

/// Removes the generation files that are not in `keep` and whose number is below `below`. How many went.
std::uint64_t remove_files(const std::string& folder, const std::set<std::string>& keep, std::uint64_t below);

}  // namespace postern::publish
