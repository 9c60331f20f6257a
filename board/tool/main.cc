// postern-board: docs/man/postern-board.8
#include <exception>
#include <filesystem>
#include <iostream>

#include "board/tool/tool.h"

namespace {

/// share/postern/profiles beside the folder of this program, wherever it is installed.
std::string folder_of_profiles() {
    std::error_code problem;
    const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", problem);
    return (self.parent_path().parent_path() / "share/postern/profiles").string();
}

}  // namespace

int main(int argc, char** argv) {
    namespace tool = postern::board_tool;
    try {
        return tool::run({argv + 1, argv + argc}, folder_of_profiles(), {std::cout, std::cerr});
    } catch (const std::exception& problem) {
        std::cerr << "postern-board: " << problem.what() << '\n';
        return tool::refused;
    }
}
