// The file that the body of an upload goes to on its way to a handler; removed unless the application renamed it.
#pragma once

#include <string>
#include <string_view>

#include "board/process/files.h"
#include "control/api/encode.h"
#include "control/api/message.h"

namespace postern::api {

class upload_file {
public:
    upload_file() = default;
    upload_file(const upload_file&) = delete;
    upload_file& operator=(const upload_file&) = delete;
    ~upload_file();

    process::result<void> open(const std::string& folder);
    process::result<void> write(std::string_view octets);
    /// Closes the file and tells the request its path and digest.
    void finish(request& into);

private:
    std::string _path;
    process::descriptor _file;
    sha256_stream _digest;
};

}  // namespace postern::api
