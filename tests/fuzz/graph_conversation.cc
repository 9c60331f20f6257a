// Any octets as Microsoft's answers to a fetch, one after the other (separated by 0x1E; the first line of each is the
// status and a pause): it ends without a crash, never asks another host than the two of the settings, yields only
// entries with identity and address, and is complete only with a cookie that can be read back.
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "control/sources/microsoft365/conversation.h"
#include "control/sources/microsoft365/links.h"

namespace {

using namespace postern::sources;
using namespace postern::sources::microsoft365;

void require(bool what) {
    if (!what) {
        std::abort();
    }
}

class checker final : public entry_sink {
public:
    bool entry(directory_entry&& one) override {
        require(!one.identity.empty() && !one.address.empty());
        return true;
    }
    bool gone(std::string_view identity) override {
        require(!identity.empty());
        return true;
    }
    bool restart_whole() override { return true; }
};

answer read_answer(std::string_view text) {
    answer out;
    const std::string_view first = text.substr(0, text.find('\n'));
    const auto status = std::from_chars(first.data(), first.data() + first.size(), out.status);
    std::uint32_t pause = 0;
    if (status.ptr != first.data() + first.size() &&
        std::from_chars(status.ptr + 1, first.data() + first.size(), pause).ec == std::errc()) {
        out.retry_after = std::chrono::seconds(pause);
    }
    if (out.status == 0) {
        out.why = fail("answer", "cut").value();
        out.may_pass = true;
    }
    out.body = first.size() < text.size() ? text.substr(first.size() + 1) : "";
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    tenant_settings settings;
    settings.tenant = "example.com";
    settings.client_id = "app";
    settings.secrets.client_secret = "s";
    settings.user_principal_names = size % 2 == 0;
    const auto take = [&rest] {
        const std::string_view one = rest.substr(0, rest.find('\x1E'));
        rest.remove_prefix(one.size() < rest.size() ? one.size() + 1 : rest.size());
        return one;
    };
    const fetch_request request{std::string(take())};
    checker into;
    fetch_outcome out;
    moment now{clock::time_point(std::chrono::seconds(1)), 1'800'000'000};
    conversation_options options;
    options.until = now.at + std::chrono::hours(1);
    conversation one(settings, request, into, out, options);
    while (true) {
        const todo next = one.next(now);
        if (next.what == todo::what::end) {
            break;
        }
        if (next.what == todo::what::wait) {
            require(next.until > now.at);
            now.at = next.until;
            continue;
        }
        require(next.ask.to == settings.login() || next.ask.to == settings.graph());
        require(is_target(next.ask.target));
        require(next.ask.token.find_first_of("\r\n ") == std::string::npos);
        if (rest.empty()) {
            one.stop();
            continue;
        }
        one.take(read_answer(take()), now);
    }
    if (out.end == fetch_outcome::end::complete) {
        require(decode_cookie(out.cookie).has_value());
    } else {
        require(out.cookie == request.cookie);
    }
    return 0;
}
