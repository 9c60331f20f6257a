// A recorded machine (records/NAME.record, made by record.sh) laid out as a tree in a temporary folder, and changed as
// a test likes.
#pragma once

#include <string>

#include "board/machine/machine.h"

namespace postern::machine {

class recorded_machine {
public:
    /// Empty name: a machine without a single file.
    explicit recorded_machine(const std::string& name);
    ~recorded_machine();
    recorded_machine(const recorded_machine&) = delete;
    recorded_machine& operator=(const recorded_machine&) = delete;

    const std::string& root() const noexcept { return _root; }
    /// Paths are relative to the root, as in "proc/cmdline".
    void write(const std::string& path, const std::string& text);
    void link(const std::string& path, const std::string& target);
    void make_folder(const std::string& path);
    void remove(const std::string& path);
    machine look() const { return look_at(tree(_root)); }

private:
    std::string _root;
};

}  // namespace postern::machine
