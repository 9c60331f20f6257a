#include <algorithm>
#include <chrono>
#include <random>
#include <thread>
#include <utility>

#include "control/sources/microsoft365/converse.h"
#include "control/sources/microsoft365/microsoft365.h"

namespace postern::sources::microsoft365 {
namespace {

constexpr std::chrono::milliseconds slice{50};  ///< how long a `stop` may stay unseen in a pause

moment now() {
    const auto unix_time = std::chrono::system_clock::now().time_since_epoch();
    return {clock::now(), std::chrono::duration_cast<std::chrono::seconds>(unix_time).count()};
}

class graph_fetcher final : public fetcher {
public:
    graph_fetcher(tenant_settings settings, egress_policy policy)
        : _settings(std::move(settings)), _policy(std::move(policy)) {}

    fetch_outcome fetch(const fetch_request& request, entry_sink& into, const std::atomic<bool>& stop) override {
        fetch_outcome out;
        const patience limits{stop, clock::now() + std::chrono::seconds(_settings.fetch_timeout_s)};
        conversation_options options;
        options.until = limits.until;
        options.seed = std::random_device{}();
        https::client over(client_settings_of(_settings), _policy, limits);
        conversation with(_settings, request, into, out, std::move(options));
        converse(with, over);
        return out;
    }

private:
    const tenant_settings _settings;
    const egress_policy _policy;
};

}  // namespace

https::client_settings client_settings_of(const tenant_settings& settings) {
    https::client_settings out;
    out.ca_certificates = settings.ca_certificates;
    out.proxy = settings.proxy;
    out.proxy_user = settings.proxy_user;
    out.proxy_password = settings.secrets.proxy_password;
    out.connect_timeout_s = settings.connect_timeout_s;
    out.answer_timeout_s = settings.answer_timeout_s;
    out.longest_answer = longest_answer;
    return out;
}

void converse(conversation& with, https::client& over) {
    while (true) {
        if (over.limits().is_stopped()) {
            with.stop();
        }
        const todo next = with.next(now());
        switch (next.what) {
            case todo::what::end:
                return;
            case todo::what::ask: {
                answer got = over.perform(
                    {next.ask.to.url(), next.ask.to.host, next.ask.target, next.ask.token, next.ask.form, "", ""});
                with.take(std::move(got), now());
                break;
            }
            case todo::what::wait: {
                const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(next.until - clock::now());
                std::this_thread::sleep_for(std::clamp(left, std::chrono::milliseconds(1), slice));
                break;
            }
        }
    }
}

std::unique_ptr<fetcher> make_fetcher(tenant_settings settings, egress_policy policy) {
    return std::make_unique<graph_fetcher>(std::move(settings), std::move(policy));
}

}  // namespace postern::sources::microsoft365
