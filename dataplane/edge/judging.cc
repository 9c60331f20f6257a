#include "dataplane/edge/judging.h"

#include <stdexcept>
#include <string>

#include "board/process/log.h"
#include "smtp/judge/sender_key.h"

namespace postern::edge {
namespace {

judge::settings judge_settings(const configuration& settings) {
    judge::settings out = settings.judge;
    out.alarm = [url = out.rspamd](std::string_view why) {
        if (why.empty()) {
            process::log(process::level::info, "judge_answers", {{"rspamd", url}});
        } else {
            process::log(process::level::warn, "judge_silent",
                         {{"rspamd", url},
                          {"reason", why},
                          {"remedy",
                           "see whether rspamd runs and [judge] has its URL; until then discovery adds "
                           "nothing"}});
        }
    };
    return out;
}

}  // namespace

std::unique_ptr<judge::service> make_judge(const configuration& settings, const environment& place) {
    if (settings.events == 0) {
        return nullptr;
    }
    const auto key = judge::keep_sender_key(place.state.get(), "sender.key");
    if (!key) {
        throw std::runtime_error(key.error());
    }
    return std::make_unique<judge::service>(judge_settings(settings), *key);
}

}  // namespace postern::edge
