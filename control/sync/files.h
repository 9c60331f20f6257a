// Names of a run's files. Private to this folder.
#pragma once

#include <cstdint>
#include <string>

namespace postern::sync {

std::string stage_path(const std::string& folder, std::uint64_t run);
std::string diff_path(const std::string& folder, std::uint64_t run);
void remove_stage(const std::string& folder, std::uint64_t run);
void remove_files(const std::string& folder, std::uint64_t run);

}  // namespace postern::sync
