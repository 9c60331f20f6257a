// What the API's handlers work with, and how one is called. A handler is a plain function; routes.h lists them all.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "control/api/http_server.h"
#include "control/api/problem.h"
#include "control/api/query.h"
#include "control/api/times.h"
#include "control/directory/billing.h"
#include "control/directory/error.h"
#include "control/directory/store.h"
#include "control/dns/where_mail_goes.h"
#include "control/probe/prober.h"
#include "control/publish/publisher.h"

namespace postern::recent {
class recent_store;
}

namespace postern::sync {
class service;
}

namespace postern::discovery {
class service;
}

namespace postern::api {

class import_jobs;

/// Everything behind the API. Outlives the server; used from many threads at once.
struct service {
    directory::store& store;
    publish::publisher& publisher;
    import_jobs& imports;
    probe::prober& prober;
    std::vector<publish::edge_address> edges;
    directory::timestamp started = 0;
    std::function<server_counters()> http_counters;
    recent::recent_store* recent = nullptr;   ///< null: not kept
    sync::service* syncs = nullptr;           ///< null: there are no directory sources
    const dns::resolver* resolver = nullptr;  ///< null: DNS is not asked
    dns::own_edges own = {};                  ///< where MX records are to lead
    directory::billed_kinds billed = {};
    discovery::service* discovery = nullptr;  ///< null: nobody asks the mail servers
};

struct call {
    const request& asked;
    query parameters;
    std::function<void()> after_commit{};  ///< set by a write handler: what waits for its transaction

    const std::string& argument(std::size_t at) const { return asked.arguments.at(at); }
};

using plain_handler = answer<response> (*)(service&, call&);
using read_handler = answer<response> (*)(service&, directory::reader&, call&);
/// The transaction is committed if it answers, and the answer kept for the Idempotency-Key if there is one.
using write_handler = answer<response> (*)(service&, directory::writer&, call&);

problem to_problem(const directory::error& error);
template <class T>
tl::unexpected<problem> failure(const directory::result<T>& result) {
    return tl::unexpected(to_problem(result.error()));
}
template <class T>
tl::unexpected<problem> failure(const answer<T>& result) {
    return tl::unexpected(result.error());
}

response json(unsigned status, const boost::json::object& body);
/// With the entity tag of `body`.
response tagged(unsigned status, const boost::json::object& body);
std::string entity_tag(const boost::json::object& body);
/// 412 if the request has an If-Match that names another state than `present`.
answer<void> check_match(const call& in, const boost::json::object& present);
response no_content();

/// {"items": […], "next": CURSOR or null}
template <class T, class F>
response list_response(const directory::page<T>& page, const page_request& asked, const F& represent) {
    boost::json::array items;
    items.reserve(page.items.size());
    for (const T& each : page.items) {
        items.push_back(represent(each));
    }
    boost::json::object body;
    body["items"] = std::move(items);
    if (page.next.empty()) {
        body["next"] = nullptr;
    } else {
        body["next"] = make_cursor(asked.order, page.next);
    }
    return json(200, body);
}

directory::page_request to_directory(const page_request& page);

/// Who does it, and why if the request says so (Postern-Reason), for the history.
directory::actor actor_of(const call& in);
problem key_used_otherwise();  ///< 422: the Idempotency-Key was used for another request

/// A number from the path; 404 for what is none.
answer<std::uint64_t> id_argument(const call& in, std::size_t at, std::uint64_t most);
answer<std::uint32_t> id32_argument(const call& in, std::size_t at);

}  // namespace postern::api
