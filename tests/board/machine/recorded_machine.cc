#include "tests/board/machine/recorded_machine.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace postern::machine {
namespace {

namespace fs = std::filesystem;

std::string unescaped(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 1 < text.size()) {
            ++i;
            out += text[i] == 'n' ? '\n' : text[i];
        } else {
            out += text[i];
        }
    }
    return out;
}

}  // namespace

recorded_machine::recorded_machine(const std::string& name) {
    std::string pattern = (fs::temp_directory_path() / "postern-machine-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) {
        throw std::runtime_error("no temporary folder");
    }
    _root = pattern;
    if (name.empty()) {
        return;
    }
    std::ifstream record(POSTERN_SOURCE_DIR "/tests/board/machine/records/" + name + ".record");
    if (!record) {
        throw std::runtime_error("there is no record of " + name);
    }
    for (std::string line; std::getline(record, line);) {
        if (line.size() < 3) {
            continue;
        }
        const std::size_t tab = std::min(line.find('\t'), line.size());
        const std::string path = line.substr(2, tab - 2);
        const std::string rest = line.substr(std::min(tab + 1, line.size()));
        switch (line[0]) {
            case 'F':
                write(path, unescaped(rest) + "\n");
                break;
            case 'L':
                link(path, rest);
                break;
            case 'D':
                make_folder(path);
                break;
            default:
                break;  // a comment
        }
    }
}

recorded_machine::~recorded_machine() {
    std::error_code ignored;
    fs::remove_all(_root, ignored);
}

void recorded_machine::write(const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(_root + "/" + path).parent_path());
    std::ofstream(_root + "/" + path) << text;
}

void recorded_machine::link(const std::string& path, const std::string& target) {
    const fs::path at = _root + "/" + path;
    fs::create_directories(at.parent_path());
    fs::remove(at);
    fs::create_symlink(target, at);
}

void recorded_machine::make_folder(const std::string& path) {
    fs::create_directories(_root + "/" + path);
}

void recorded_machine::remove(const std::string& path) {
    fs::remove_all(_root + "/" + path);
}

}  // namespace postern::machine
