// Errors as the API gives them: application/problem+json (RFC 9457) with `errors`, each pointing at the member
// (JSON pointer, RFC 6901), the query parameter or the header field that was wrong.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "control/api/message.h"

namespace postern::api {

struct field_error {
    std::string pointer;  ///< "/email", "/items/3/email"; for a query "?limit"; for a header field "If-Match"
    std::string detail;   ///< what is wrong, with the value, and what to do
};

struct problem {
    unsigned status = 400;
    std::string type;   ///< the last part of the type's URN: "urn:postern:problem:TYPE"
    std::string title;  ///< the same for every problem of the type
    std::string detail;
    std::vector<field_error> errors;
    std::vector<std::pair<std::string, std::string>> fields;  ///< header fields to send along
};

template <class T>
using answer = tl::expected<T, problem>;

response to_response(const problem& error);

/// 400: the request as such can't be read (query, header field, JSON).
problem bad_request(std::string detail, std::vector<field_error> errors = {});
/// 422: read, but a value is not acceptable.
problem invalid(std::vector<field_error> errors);
problem invalid(std::string pointer, std::string detail);
problem unauthorized(std::string detail);            ///< 401
problem forbidden(std::string detail);               ///< 403
problem not_found(std::string detail);               ///< 404
problem conflict(std::string detail);                ///< 409: exists already, or the state does not allow it
problem changed(std::string detail);                 ///< 412: If-Match does not match
problem too_large(std::string detail);               ///< 413
problem unsupported_media_type(std::string detail);  ///< 415
problem internal(std::string detail);                ///< 500: the detail is logged, not sent
problem unavailable(std::string detail);             ///< 503

}  // namespace postern::api
