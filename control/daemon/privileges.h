// What the process gives away once its port is bound: the account of root, and the way back.
#pragma once

#include <initializer_list>
#include <string>

#include "board/process/files.h"

namespace postern::daemon {

/// If the process is root and `user` is set: makes `folders` (0750) for the user, and becomes the user. Before any
/// other thread is started. Sets no_new_privs in any case.
process::result<void> become(const std::string& user, const std::string& group,
                             std::initializer_list<std::string> folders);

}  // namespace postern::daemon
