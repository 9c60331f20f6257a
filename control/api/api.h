// The API as an application behind the HTTP server: who may ask (tokens, roles), which handler answers, transactions,
// idempotency keys, entity tags, and waiting until a change is in force.
#pragma once

#include <string>
#include <tl/expected.hpp>

#include "control/api/http_server.h"
#include "control/api/service.h"

namespace postern::api {

class api_application final : public application {
public:
    /// Before the server is started; `with` must outlive the serving.
    void attach(service& with) noexcept { _service = &with; }

    admission admit(request& head) override;
    response handle(request& whole) override;

private:
    answer<caller> identify(const request& head, bool page) const;
    answer<response> run(request& whole, call& of);

    service* _service = nullptr;
};

/// Makes the first admin token if there is no living one, and writes it to `path` (0600). True: it was made.
tl::expected<bool, std::string> write_first_token(directory::store& store, const std::string& path);

}  // namespace postern::api
