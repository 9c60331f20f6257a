#include "control/api/import_job.h"

namespace postern::api {

std::string_view to_string(import_state of) noexcept {
    switch (of) {
        case import_state::waiting:
            return "waiting";
        case import_state::reading:
            return "reading";
        case import_state::previewed:
            return "previewed";
        case import_state::queued:
            return "queued";
        case import_state::applying:
            return "applying";
        case import_state::applied:
            return "applied";
        case import_state::held:
            return "held";
        case import_state::refused:
            return "refused";
        case import_state::cancelled:
            return "cancelled";
        case import_state::failed:
            return "failed";
    }
    return "failed";
}

}  // namespace postern::api
