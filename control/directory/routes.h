// Routes: an organisation's inbound mail servers, what a probe found, and the person who confirmed them.
//
// Mail goes to a route only once it is confirmed (before, the edge answers 451 4.3.5). A change of its hosts takes the
// confirmation back.
#pragma once

#include <optional>

#include "control/directory/store.h"
#include "smtp/recipients/domains.h"

namespace postern::directory {

struct scope;  // scope.h

struct route {
    std::uint32_t id = 0;
    std::uint32_t organisation = 0;
    std::string name;
    std::vector<recipients::mail_host> hosts;
    std::uint16_t max_connections = 10;
    bool catch_all = false;    ///< by the last probe
    std::string probe;         ///< JSON of the last probe; empty: never probed
    timestamp probed = 0;      ///< 0: never
    std::string confirmed_by;  ///< empty: not confirmed
    timestamp confirmed = 0;   ///< 0: not confirmed
    timestamp created = 0;
};

struct new_route {
    std::string name;  ///< unique within the organisation
    std::uint32_t organisation = 1;
    std::vector<recipients::mail_host> hosts;  ///< one at least; host is a name or an address
    std::uint16_t max_connections = 10;
};
result<route> add_route(writer& in, const new_route& input);

struct route_change {
    std::optional<std::string> name;
    std::optional<std::vector<recipients::mail_host>> hosts;
    std::optional<std::uint16_t> max_connections;
};
result<route> change_route(writer& in, std::uint32_t id, const route_change& change);
/// Keeps a probe's finding. `json` must be a JSON text.
result<route> record_probe(writer& in, std::uint32_t id, std::string_view json, bool catch_all);
/// Confirms the hosts as they are, by `in.by().who`. Refused before a probe unless `unprobed`.
result<route> confirm_route(writer& in, std::uint32_t id, bool unprobed = false);
/// Refused (`conflict`) while a domain uses it.
result<void> remove_route(writer& in, std::uint32_t id);

result<route> find_route(const reader& in, std::uint32_t id);
struct route_filter {
    std::uint32_t organisation = 0;  ///< 0: any
    std::optional<bool> confirmed;
    const scope* within = nullptr;  ///< of domains or a group: the servers of their domains. Null: everything
};
/// Whether the route is in the scope, as a list with it has it.
result<bool> has_route(const reader& in, const scope& within, const route& one);
result<page<route>> list_routes(const reader& in, const route_filter& filter, const page_request& at);

}  // namespace postern::directory
