#include "control/api/transaction.h"

#include <utility>

#include "control/api/encode.h"
#include "control/directory/idempotency.h"

namespace postern::api {
namespace {

constexpr std::chrono::milliseconds writer_patience{25'000};
constexpr std::chrono::milliseconds in_force_patience{10'000};
constexpr std::size_t max_key = 200;

std::string request_hash(const request& of) {
    std::string whole(to_string(of.verb));
    whole += ' ' + of.path + '?' + of.query + '\n' + of.body + of.upload_digest;
    return sha256(whole);
}

}  // namespace

problem key_used_otherwise() {
    problem made = invalid("Idempotency-Key", "was used for another request; use a new key for each");
    made.type = "idempotency-key-reused";
    return made;
}

answer<response> transact(service& with, call& of, const std::function<answer<response>(directory::writer&)>& change) {
    const bool wait = of.parameters.word("wait", {"in_force"}).has_value();
    const std::string_view key = of.asked.verb == method::post ? of.asked.field("idempotency-key") : std::string_view{};
    if (key.size() > max_key) {
        return tl::unexpected(
            bad_request("The Idempotency-Key is longer than " + std::to_string(max_key) + " octets."));
    }
    auto in = with.store.write(actor_of(of), writer_patience);
    if (!in) {
        return failure(in);
    }
    const auto token = static_cast<std::uint64_t>(of.asked.caller.token);
    const std::string hash = key.empty() ? std::string() : request_hash(of.asked);
    if (!key.empty()) {
        const auto kept = directory::kept_answer(*in, token, key);
        if (!kept) {
            return failure(kept);
        }
        if (*kept) {
            if ((*kept)->request_hash != hash) {
                return tl::unexpected(key_used_otherwise());
            }
            response again;
            again.status = (*kept)->status;
            again.content_type = (*kept)->content_type;
            again.body = (*kept)->body;
            again.fields.emplace_back("Idempotency-Replayed", "true");
            return again;
        }
    }
    auto made = change(*in);
    if (!made) {
        return made;
    }
    if (!key.empty()) {
        directory::idempotent_answer answer;
        answer.request_hash = hash;
        answer.status = static_cast<std::uint16_t>(made->status);
        answer.content_type = made->content_type;
        answer.body = made->body;
        if (const auto kept = directory::keep_answer(*in, token, key, answer); !kept) {
            return failure(kept);
        }
    }
    const auto seq = in->commit();
    if (!seq) {
        return failure(seq);
    }
    if (of.after_commit) {
        of.after_commit();
    }
    made->fields.emplace_back("Postern-Change", std::to_string(*seq));
    if (wait) {
        const bool everywhere = with.publisher.wait_in_force(*seq, in_force_patience) == publish::in_force::everywhere;
        made->fields.emplace_back("Postern-In-Force", everywhere ? "true" : "false");
    }
    return made;
}

}  // namespace postern::api
