// The MailRoute-compatible API as an application behind control/api's HTTP server: everything under /api/.
// docs/mailroute-api.md is its manual.
#pragma once

#include "control/api/http_server.h"
#include "control/mailroute/change.h"

namespace postern::mailroute {

class application final : public api::application {
public:
    /// Before the server is started; `with` must outlive the serving.
    void attach(service& with) noexcept { _service = &with; }

    api::admission admit(api::request& head) override;
    api::response handle(api::request& whole) override;
    api::response refuse(const api::request& head, const api::problem& why) override;

private:
    service* _service = nullptr;
};

/// Whether the path is this API's rather than Postern's own.
bool is_ours(std::string_view path);

}  // namespace postern::mailroute
