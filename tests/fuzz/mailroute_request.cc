// The MailRoute-compatible API's reading of what a client sends, without HTTP and without a store: path, query and
// body, against every resource. The first line is the target, the rest the body.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "control/mailroute/input.h"
#include "control/mailroute/listing.h"
#include "control/mailroute/target.h"
#include "control/mailroute/uris.h"

using namespace postern::mailroute;

namespace {

void read_list(const resource& of, std::string_view query) {
    const auto asked = read_list_request(of, query);
    if (!asked) {
        return;
    }
    const auto marks = static_cast<std::size_t>(std::count(asked->conditions.begin(), asked->conditions.end(), '?'));
    if (marks != asked->values.size() || asked->limit == 0 || asked->limit > max_limit || asked->order.empty()) {
        __builtin_trap();
    }
    // The link to another page asks the same.
    const auto again = read_list_request(of, asked->kept);
    if (!again || again->conditions != asked->conditions || again->values != asked->values) {
        __builtin_trap();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view given(reinterpret_cast<const char*>(data), size);
    const std::size_t line = given.find('\n');
    const std::string_view named = given.substr(0, line);
    const std::size_t mark = named.find('?');
    const std::string_view query = mark == std::string_view::npos ? std::string_view() : named.substr(mark + 1);
    const target at = read_target(named.substr(0, mark));
    if (at.kind == target_kind::object && parse_reference(object_uri(at.of->name, at.id), at.of->name) != at.id) {
        __builtin_trap();
    }
    static_cast<void>(read_ids(query));
    const auto body = read_body(line == std::string_view::npos ? std::string_view() : given.substr(line + 1));
    for (const resource* const each : resources()) {
        read_list(*each, query);
        if (body) {
            for (const purpose why : {purpose::post, purpose::put, purpose::patch}) {
                static_cast<void>(input::read(*each, *body, why));
            }
        }
    }
    return 0;
}
