// A change over the API: one transaction, with the answer kept for the request's Idempotency-Key if it has one.
#pragma once

#include <functional>

#include "control/api/service.h"

namespace postern::api {

/// The transaction is committed if `change` answers, and its answer kept; the same key with the same request gets the
/// first one's answer, and nothing is done again. Then `after_commit`, and the wait until it is in force if `?wait`
/// asks for that.
answer<response> transact(service& with, call& of, const std::function<answer<response>(directory::writer&)>& change);

}  // namespace postern::api
