// What stands on disk of an import that is not over, beside its file: enough for the next process to go on with it.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "control/api/import_job.h"
#include "control/directory/store.h"

namespace postern::api {

struct import_record {
    import_job job;
    directory::actor by;      ///< who asked last: for the preview, the apply or the approval
    std::string idempotency;  ///< of who repeats the request, hashed; empty: none
    std::string digest;       ///< of the file and the options
    unsigned begun = 0;       ///< how many processes were at work on it and did not end that
};

/// One JSON object. Progress is left out: it begins anew.
std::string to_text(const import_record& of);
/// The error is a sentence.
tl::expected<import_record, std::string> parse_import_record(std::string_view text);

}  // namespace postern::api
