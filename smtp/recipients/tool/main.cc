// postern-table: builds table files and shows what is in them. docs/man/postern-table.1
#include <exception>
#include <iostream>

#include "smtp/recipients/tool/tool.h"

int main(int argc, char** argv) {
    namespace tool = postern::recipients::tool;
    try {
        std::ios::sync_with_stdio(false);
        return tool::run({argv + 1, argv + argc}, {std::cin, std::cout, std::cerr});
    } catch (const std::exception& problem) {
        std::cerr << "postern-table: " << problem.what() << '\n';
        return tool::refused;
    }
}
