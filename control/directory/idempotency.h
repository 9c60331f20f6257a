// Answers to bulk calls that carried an idempotency key, kept in the transaction of the call itself: a repeated call
// gets the first one's answer and changes nothing.
#pragma once

#include <optional>

#include "control/directory/store.h"

namespace postern::directory {

struct idempotent_answer {
    std::string request_hash;  ///< of method, path and body: the same key with another request is a client's mistake
    std::uint16_t status = 0;
    std::string content_type;
    std::string body;
};

constexpr timestamp idempotency_lifetime = 24LL * 3600 * 1000;  ///< milliseconds

/// Keeps the answer under (token, key); `conflict` if there is one. Drops those older than the lifetime.
result<void> keep_answer(writer& in, std::uint64_t token, std::string_view key, const idempotent_answer& answer);
result<std::optional<idempotent_answer>> kept_answer(const reader& in, std::uint64_t token, std::string_view key);

}  // namespace postern::directory
