#include "control/api/service.h"

#include <boost/json/serialize.hpp>
#include <charconv>
#include <limits>

#include "control/api/encode.h"

namespace postern::api {

problem to_problem(const directory::error& error) {
    switch (error.kind) {
        case directory::error_kind::invalid:
            return invalid("/" + error.field, error.text);
        case directory::error_kind::not_found:
            return not_found(error.text);
        case directory::error_kind::conflict:
        case directory::error_kind::refused: {
            problem made = conflict(error.text);
            if (!error.field.empty()) {
                made.errors.push_back({"/" + error.field, error.text});
            }
            return made;
        }
        case directory::error_kind::busy: {
            problem made = unavailable(error.text);
            made.fields.emplace_back("Retry-After", "5");
            return made;
        }
        case directory::error_kind::failed:
            return internal(error.text);
    }
    return internal(error.text);
}

response json(unsigned status, const boost::json::object& body) {
    response made;
    made.status = status;
    made.body = boost::json::serialize(body);
    made.body += '\n';
    return made;
}

std::string entity_tag(const boost::json::object& body) {
    return '"' + sha256(boost::json::serialize(body)).substr(0, 32) + '"';
}

response tagged(unsigned status, const boost::json::object& body) {
    response made = json(status, body);
    made.fields.emplace_back("ETag", entity_tag(body));
    return made;
}

answer<void> check_match(const call& in, const boost::json::object& present) {
    const std::string_view wanted = in.asked.field("if-match");
    if (wanted.empty() || wanted == "*" || wanted.find(entity_tag(present)) != std::string_view::npos) {
        return {};
    }
    problem made =
        changed("It is not what If-Match names any more: get it again and repeat the edit on the new state.");
    made.errors.push_back({"If-Match", "the present ETag is " + entity_tag(present)});
    return tl::unexpected(std::move(made));
}

response no_content() {
    response made;
    made.status = 204;
    return made;
}

directory::page_request to_directory(const page_request& page) {
    return {page.after, page.limit};
}

answer<std::uint64_t> id_argument(const call& in, std::size_t at, std::uint64_t most) {
    const std::string& text = in.argument(at);
    std::uint64_t id = 0;
    const char* const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, id);
    if (parsed.ec != std::errc() || parsed.ptr != end || id == 0 || id > most) {
        return tl::unexpected(not_found("\"" + text + "\" is not an id."));
    }
    return id;
}

answer<std::uint32_t> id32_argument(const call& in, std::size_t at) {
    const auto id = id_argument(in, at, std::numeric_limits<std::uint32_t>::max());
    if (!id) {
        return failure(id);
    }
    return static_cast<std::uint32_t>(*id);
}

}  // namespace postern::api
