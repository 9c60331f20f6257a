// The directory's objects as the API's JSON (openapi.yaml, components/schemas).
#pragma once

#include <boost/json/object.hpp>

#include "control/directory/domains.h"
#include "control/directory/generations.h"
#include "control/directory/groups.h"
#include "control/directory/history.h"
#include "control/directory/mailboxes.h"
#include "control/directory/organisations.h"
#include "control/directory/routes.h"
#include "control/directory/tokens.h"
#include "control/probe/prober.h"
#include "control/publish/publisher.h"

namespace postern::api {

boost::json::object represent(const directory::organisation& of);
boost::json::object represent(const directory::domain& of);        ///< a domain, without its counts
boost::json::object represent_alias(const directory::domain& of);  ///< a domain alias
boost::json::object represent(const directory::domain_counts& of);
boost::json::object represent(const directory::mailbox& of);
boost::json::object represent(const directory::alias& of);
boost::json::object represent(const directory::group& of);
boost::json::object represent(const directory::route& of);
boost::json::object represent(const directory::token& of);
boost::json::object represent(const directory::generation& of);
boost::json::object represent(const directory::history_entry& of);
boost::json::object represent(const publish::edge_status& of);
boost::json::object represent(const publish::publisher_status& of);
boost::json::object represent(const probe::finding& of);

}  // namespace postern::api
