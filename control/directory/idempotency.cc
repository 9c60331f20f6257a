#include "control/directory/idempotency.h"

#include "control/directory/connection.h"

namespace postern::directory {

result<void> keep_answer(writer& in, std::uint64_t token, std::string_view key, const idempotent_answer& answer) {
    in.on().run("DELETE FROM idempotency WHERE created < ?", in.now() - idempotency_lifetime);
    if (in.on().query("SELECT 1 FROM idempotency WHERE token = ? AND key = ?", token, key).step()) {
        return fail(error_kind::conflict, "this idempotency key was used already", "Idempotency-Key");
    }
    in.on().run(
        "INSERT INTO idempotency(token, key, request_hash, status, content_type, body, created)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        token, key, answer.request_hash, answer.status, answer.content_type, answer.body, in.now());
    return or_failure(in);
}

result<std::optional<idempotent_answer>> kept_answer(const reader& in, std::uint64_t token, std::string_view key) {
    statement row = in.on().query(
        "SELECT request_hash, status, content_type, body FROM idempotency WHERE token = ? AND key = ?", token, key);
    std::optional<idempotent_answer> out;
    if (row.step()) {
        out = idempotent_answer{std::string(row.text(0)), row.as<std::uint16_t>(1), std::string(row.text(2)),
                                std::string(row.text(3))};
    }
    return or_failure(in, std::move(out));
}

}  // namespace postern::directory
