// The two APIs behind one server: MailRoute's under /api/, Postern's own elsewhere.
#pragma once

#include "control/api/api.h"
#include "control/mailroute/application.h"

namespace postern::daemon {

class front final : public api::application {
public:
    /// Before the server is started; `with` must outlive the serving.
    void attach(mailroute::service& with) noexcept {
        _own.attach(with.api);
        _mailroute.attach(with);
    }

    api::admission admit(api::request& head) override { return of(head).admit(head); }
    api::response handle(api::request& whole) override { return of(whole).handle(whole); }
    api::response refuse(const api::request& head, const api::problem& why) override {
        return of(head).refuse(head, why);
    }

private:
    api::application& of(const api::request& asked) {
        return mailroute::is_ours(asked.path) ? static_cast<api::application&>(_mailroute) : _own;
    }

    api::api_application _own;
    mailroute::application _mailroute;
};

}  // namespace postern::daemon
