// Names of a run's files. Private to this folder.
#pragma once

#include <cstdint>
#include <string>

namespace postern::sync {

std::string stage_path(const std::string& folder, std::uint64_t run);
std::string diff_path(const std::string& folder, std::uint64_t run);
/// What was pushed for the run.
std::string push_path(const std::string& folder, std::uint64_t run);
/// A list on its way to be one: "FOLDER/pushed-XXXXXX", for mkostemp.
std::string push_template(const std::string& folder);
bool is_push_on_its_way(const std::string& name);
void remove_push(const std::string& folder, std::uint64_t run);
void remove_stage(const std::string& folder, std::uint64_t run);
void remove_files(const std::string& folder, std::uint64_t run);

}  // namespace postern::sync
