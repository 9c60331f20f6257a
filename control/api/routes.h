// The table of all the API answers: what openapi.yaml says, each with its handler. A test holds the two against each
// other, both ways.
#pragma once

#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "control/api/service.h"
#include "control/directory/scope.h"

namespace postern::api {

struct route {
    method verb = method::get;
    std::string_view path;  ///< "/v1/domains/{domain}"
    role least = role::reader;
    body_kind body = body_kind::none;
    std::variant<plain_handler, read_handler, write_handler> handler;
    /// The narrowest token that it takes. Its handler answers only what the token reaches (scope.h); unless said
    /// otherwise it takes none but those that reach everything.
    directory::reach narrowest = directory::reach::everything;
};

std::span<const route> routes();

struct route_match {
    const route* found = nullptr;        ///< null: see `allowed`
    std::vector<std::string> arguments;  ///< decoded
    std::vector<method> allowed;         ///< methods of the path, if it is one: 405 instead of 404
};
/// `path` as it came. A path that ends in `/` is not the one without it.
route_match match(method verb, std::string_view path);

/// Whether the route's handler may wait (for the store's writer, an edge, a mail server), so that it must not hold up
/// plain reads.
bool may_wait(const route& of);

}  // namespace postern::api
