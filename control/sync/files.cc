#include "control/sync/files.h"

#include <filesystem>

namespace postern::sync {

namespace {

void remove_database(const std::string& path) {
    std::error_code ignored;
    for (const char* const end : {"", "-wal", "-shm", "-journal"}) {
        std::filesystem::remove(path + end, ignored);
    }
}

}  // namespace

std::string stage_path(const std::string& folder, std::uint64_t run) {
    return folder + '/' + std::to_string(run) + ".stage";
}
std::string diff_path(const std::string& folder, std::uint64_t run) {
    return folder + '/' + std::to_string(run) + ".diff";
}
std::string push_path(const std::string& folder, std::uint64_t run) {
    return folder + '/' + std::to_string(run) + ".push";
}
std::string push_template(const std::string& folder) {
    return folder + "/pushed-XXXXXX";
}
bool is_push_on_its_way(const std::string& name) {
    return name.starts_with("pushed-");
}
void remove_push(const std::string& folder, std::uint64_t run) {
    std::error_code ignored;
    std::filesystem::remove(push_path(folder, run), ignored);
}
void remove_stage(const std::string& folder, std::uint64_t run) {
    remove_database(stage_path(folder, run));
}
void remove_files(const std::string& folder, std::uint64_t run) {
    remove_push(folder, run);
    remove_stage(folder, run);
    remove_database(diff_path(folder, run));
}

}  // namespace postern::sync
