// Small steps of the engine that every command takes, inline. Included by engine_*.cc only.
#pragma once

#include "smtp/session/engine.h"
#include "smtp/session/work.h"

namespace postern::session {

inline client_session* engine::find(shard::connection c) noexcept {
    client_session* const s = _sessions.find(c.slot);
    return s != nullptr && s->state != session_state::closed && s->serial == c.serial ? s : nullptr;
}

inline void engine::settle(work& w) {
    if (!w.gone() && (_draining || w.session().half_closed)) {
        settle_end(w);
    }
}

inline void engine::answer(work& w) {
    if (!w.gone() && w.session().recipients.queue != no_block) {
        answer_waiting(w);
    }
}

}  // namespace postern::session
