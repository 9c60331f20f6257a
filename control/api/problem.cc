#include "control/api/problem.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <utility>

#include "board/process/log.h"

namespace postern::api {
namespace {

problem make(unsigned status, std::string type, std::string title, std::string detail) {
    problem made;
    made.status = status;
    made.type = std::move(type);
    made.title = std::move(title);
    made.detail = std::move(detail);
    return made;
}

}  // namespace

response to_response(const problem& error) {
    boost::json::object body;
    body["type"] = "urn:postern:problem:" + error.type;
    body["title"] = error.title;
    body["status"] = error.status;
    body["detail"] = error.detail;
    if (!error.errors.empty()) {
        boost::json::array errors;
        for (const field_error& each : error.errors) {
            errors.push_back(boost::json::object{{"pointer", each.pointer}, {"detail", each.detail}});
        }
        body["errors"] = std::move(errors);
    }
    response made;
    made.status = error.status;
    made.content_type = "application/problem+json";
    made.body = boost::json::serialize(body);
    made.fields = error.fields;
    return made;
}

problem bad_request(std::string detail, std::vector<field_error> errors) {
    problem made = make(400, "bad-request", "The request can't be read", std::move(detail));
    made.errors = std::move(errors);
    return made;
}

problem invalid(std::vector<field_error> errors) {
    std::string detail = errors.size() == 1 ? errors.front().pointer + ": " + errors.front().detail
                                            : std::to_string(errors.size()) + " values are not acceptable";
    problem made = make(422, "invalid", "A value is not acceptable", std::move(detail));
    made.errors = std::move(errors);
    return made;
}

problem invalid(std::string pointer, std::string detail) {
    return invalid(std::vector<field_error>{{std::move(pointer), std::move(detail)}});
}

problem unauthorized(std::string detail) {
    problem made = make(401, "unauthorized", "No valid token", std::move(detail));
    made.fields.emplace_back("WWW-Authenticate", "Bearer realm=\"postern\"");
    return made;
}

problem forbidden(std::string detail) {
    return make(403, "forbidden", "The token's role does not allow this", std::move(detail));
}

problem not_found(std::string detail) {
    return make(404, "not-found", "There is no such thing", std::move(detail));
}

problem conflict(std::string detail) {
    return make(409, "conflict", "The present state does not allow this", std::move(detail));
}

problem changed(std::string detail) {
    return make(412, "changed", "The thing was changed meanwhile", std::move(detail));
}

problem too_large(std::string detail) {
    return make(413, "too-large", "The request is too large", std::move(detail));
}

problem unsupported_media_type(std::string detail) {
    return make(415, "unsupported-media-type", "The body's type is not taken here", std::move(detail));
}

problem internal(std::string detail) {
    process::log(process::level::error, "api_internal_error", {{"detail", detail}});
    return make(500, "internal", "Postern could not do this",
                "An internal error; the log of postern-control has the details (event api_internal_error).");
}

problem unavailable(std::string detail) {
    return make(503, "unavailable", "Not possible right now", std::move(detail));
}

}  // namespace postern::api
