// The API's reading of what a client sends, without HTTP: path, query, cursor, JSON body. The first octet chooses the
// body's type; the first line is the target, the rest the body.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/api/body.h"
#include "control/api/encode.h"
#include "control/api/networks.h"
#include "control/api/path.h"
#include "control/api/query.h"
#include "control/api/times.h"

using namespace postern::api;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t line = input.find('\n');
    const std::string_view target = input.substr(0, line);
    const std::size_t mark = target.find('?');

    for (const char* pattern : {"/v1/domains", "/v1/mailboxes/{mailbox}", "/v1/imports/{import}/errors"}) {
        const auto found = match_path(pattern, target.substr(0, mark));
        for (const std::string& each : found.value_or(std::vector<std::string>())) {
            if (!is_utf8(each) || each.empty()) {
                __builtin_trap();
            }
            static_cast<void>(parse_time(each));
            static_cast<void>(parse_network(each));
        }
    }

    auto parameters = query::parse(mark == std::string_view::npos ? std::string_view{} : target.substr(mark + 1));
    if (parameters) {
        const page_request page = parameters->paging({"id", "name"});
        if (page.limit == 0 || page.limit > max_limit) {
            __builtin_trap();
        }
        if (!page.after.empty()) {
            // What a cursor says comes back from a cursor made of it.
            auto again = query::parse("sort=" + page.order + "&cursor=" + make_cursor(page.order, page.after));
            if (!again || again->paging({"id", "name"}).after != page.after) {
                __builtin_trap();
            }
        }
        static_cast<void>(parameters->flag("valid"));
        static_cast<void>(parameters->word("mode", {"observe", "enforce"}));
        if (const auto good = parameters->finish(); !good) {
            static_cast<void>(to_response(good.error()));
        }
    }

    request asked;
    asked.fields = {{"content-type", "application/json"}};
    asked.body = line == std::string_view::npos ? "" : input.substr(line + 1);
    const auto object = parse_json_object(asked);
    if (!object) {
        static_cast<void>(to_response(object.error()));
        return 0;
    }
    std::vector<field_error> errors;
    members given(*object, "", errors);
    static_cast<void>(given.required_text("address", 1024));
    static_cast<void>(given.id_or_name("mailbox"));
    static_cast<void>(given.number("port", 1, 65535));
    static_cast<void>(given.flag("on_hold"));
    static_cast<void>(given.texts("aliases", 100));
    if (const auto items = given.objects("items", 100)) {
        for (std::size_t at = 0; at < items->size(); ++at) {
            members each(*(*items)[at], "/items/" + std::to_string(at), errors);
            static_cast<void>(each.text("address"));
            each.finish();
        }
    }
    given.finish();
    if (!errors.empty()) {
        static_cast<void>(to_response(invalid(std::move(errors))));
    }
    return 0;
}
