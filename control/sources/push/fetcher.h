// A pushed list as a source: what was sent lies in a file, and is read from there as a directory would be.
#pragma once

#include <memory>
#include <string>

#include "control/sources/fetch.h"

namespace postern::sources::push {

struct pushed_file {
    std::string path;
    bool whole = true;
    std::string cookie;  ///< for what the list then is: its sequence number
};
std::unique_ptr<fetcher> make_fetcher(pushed_file of);

}  // namespace postern::sources::push
