#include "control/discovery/service.h"

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "board/process/log.h"
#include "control/directory/connection.h"
#include "control/discovery/digest.h"
#include "control/discovery/take.h"

namespace postern::discovery {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds tick_every{1'000};
constexpr milliseconds look_every{15'000};  // for questions that the clock alone makes due
constexpr milliseconds patience{5'000};
constexpr milliseconds take_patience{30'000};
constexpr timestamp forgotten_every = 3'600'000;
constexpr std::size_t probes_at_once = 50;
constexpr std::size_t moved_at_once = 2'000;

const directory::actor by_evidence{"discovery", "the mail server accepted good mail"};

void log_failure(std::string_view what, const directory::error& why) {
    // Busy: an import holds the store; the next turn will do.
    if (why.kind != directory::error_kind::busy) {
        process::log(process::level::error, what, {{"error", why.text}});
    }
}

void log_happening(const happening& of) {
    using kind = happening::kind;
    const auto what = of.what == kind::added          ? "discovery_added"
                      : of.what == kind::left         ? "discovery_left"
                      : of.what == kind::base_refused ? "discovery_base_refused"
                      : of.what == kind::withdrawn    ? "discovery_withdrawn"
                                                      : "listed_refused";
    process::log(of.what == kind::added ? process::level::info : process::level::warn, what,
                 {{"domain", of.domain},
                  {"address", of.address},
                  {"good", of.good},
                  {"senders", of.senders},
                  {"detail", of.detail}});
}

}  // namespace

struct service::body {
    body(directory::store& on, const probe::prober& with, sync::service& tell, const recent::recent_store* recent,
         const service_options& set)
        : store(on), prober(with), syncs(tell), seen(recent), options(set) {}

    void count(const std::vector<happening>& all);
    void send(const std::optional<letter>& one) {
        if (one) {
            syncs.tell(one->what, one->to, one->secret);
        }
    }
    const sync::secret_box& box() const { return syncs.with().secrets; }
    void wake() {
        const std::lock_guard hold(mutex);
        look = true;
        changed.notify_all();
    }

    void end_due_modes();
    void tell_ends();
    void review_due();
    void tell_digests();
    void forget();
    result<std::optional<probe_effect>> ask_one(const domain_state& of, const directory::actor& by);
    std::size_t ask_random();
    std::size_t ask_bases();
    void tick();
    void run_clock();
    void run_questions();

    directory::store& store;
    const probe::prober& prober;
    sync::service& syncs;
    const recent::recent_store* seen;
    service_options options;

    std::atomic<bool> stop{false};
    std::mutex mutex;  ///< of what stands below
    std::condition_variable changed;
    bool look = true;  ///< there may be questions that are due
    totals sums;
    std::map<std::string, timestamp> again;  ///< bases without a finding: when to ask next. Of the questions' thread
    timestamp forgotten = 0;                 ///< of the clock's thread
    std::vector<std::thread> threads;
    std::uint64_t registration = 0;
};

void service::body::count(const std::vector<happening>& all) {
    for (const happening& each : all) {
        log_happening(each);
    }
    const std::lock_guard hold(mutex);
    for (const happening& each : all) {
        switch (each.what) {
            case happening::kind::added:
                ++sums.added;
                break;
            case happening::kind::left:
                ++sums.left;
                break;
            case happening::kind::base_refused:
                ++sums.base_refused;
                break;
            case happening::kind::withdrawn:
                ++sums.withdrawn;
                break;
            case happening::kind::flagged:
                ++sums.flagged;
                break;
        }
    }
}

void service::body::end_due_modes() {
    {
        const auto in = store.read();
        const auto some = in ? directory::modes_end(*in, store.now()) : result<bool>(false);
        if (!some || !*some) {
            return;
        }
    }
    auto in = store.write({"system", "the mode's end date"}, patience);
    if (!in) {
        return log_failure("mode_end_failed", in.error());
    }
    const auto ended = end_modes(*in, seen);
    if (!ended) {
        return log_failure("mode_end_failed", ended.error());
    }
    std::vector<std::optional<letter>> letters;
    for (const ended_mode& each : *ended) {
        auto made = write_letter(*in, each.before, told_as::trouble, "mode_ended", words_of(each), in->now(), box());
        if (!made) {
            return log_failure("mode_end_failed", made.error());
        }
        letters.push_back(*std::move(made));
    }
    if (const auto done = in->commit(); !done) {
        return log_failure("mode_end_failed", done.error());
    }
    for (const ended_mode& each : *ended) {
        process::log(process::level::warn, "mode_ended",
                     {{"domain", each.now.name},
                      {"was", directory::to_string(each.before.domain.mode)},
                      {"mode", directory::to_string(each.now.mode)},
                      {"text", words_of(each)}});
    }
    for (const auto& each : letters) {
        send(each);
    }
}

void service::body::tell_ends() {
    std::vector<std::pair<domain_state, std::vector<std::string>>> coming;
    {
        const auto in = store.read();
        const auto domains = in ? ends_to_tell(*in, store.now()) : result<std::vector<std::uint32_t>>();
        if (!domains || domains->empty()) {
            return;
        }
        for (const std::uint32_t each : *domains) {
            const auto of = find_state(*in, each);
            const auto against = of ? against_enforce(*in, seen, *of) : result<std::vector<std::string>>();
            if (!of || !against) {
                return log_failure("discovery_failed", of ? against.error() : of.error());
            }
            coming.emplace_back(*of, *against);
        }
    }
    auto in = store.write({"system", "discovery ends soon"}, patience);
    if (!in) {
        return log_failure("discovery_failed", in.error());
    }
    std::vector<std::optional<letter>> letters;
    for (const auto& [of, against] : coming) {
        note_told_of_end(*in, of.domain.id);
        auto made = write_letter(*in, of, told_as::trouble, "discovery_ends", words_of_coming_end(of, against),
                                 in->now(), box());
        if (!made) {
            return log_failure("discovery_failed", made.error());
        }
        letters.push_back(*std::move(made));
    }
    if (const auto done = in->commit(); !done) {
        return log_failure("discovery_failed", done.error());
    }
    for (const auto& [of, against] : coming) {
        process::log(process::level::warn, "discovery_ends",
                     {{"domain", of.domain.name}, {"text", words_of_coming_end(of, against)}});
    }
    for (const auto& each : letters) {
        send(each);
    }
}

void service::body::review_due() {
    std::vector<std::uint32_t> due;
    {
        const auto in = store.read();
        if (!in) {
            return;
        }
        auto rows = in->on().query("SELECT domain FROM discovery WHERE review LIMIT 100");
        while (rows.step()) {
            due.push_back(rows.as<std::uint32_t>(0));
        }
    }
    for (const std::uint32_t domain : due) {
        auto in = store.write(by_evidence, patience);
        if (!in) {
            return log_failure("discovery_failed", in.error());
        }
        const auto of = find_state(*in, domain);
        std::vector<happening> all;
        result<bool> whole = true;
        if (of) {
            whole = review(*in, *of, all, moved_at_once);
        }
        if (!of || !whole) {
            return log_failure("discovery_failed", of ? whole.error() : of.error());
        }
        if (*whole) {
            in->on().run("UPDATE discovery SET review = 0 WHERE domain = ?", domain);
        }
        if (const auto done = in->commit(); !done) {
            return log_failure("discovery_failed", done.error());
        }
        count(all);
        wake();  // a base may have to be asked for
    }
}

void service::body::tell_digests() {
    std::vector<std::uint32_t> due;
    {
        const auto in = store.read();
        const auto found =
            in ? digests_due(*in, store.now(), options.between_digests.count()) : result<std::vector<std::uint32_t>>();
        if (!found) {
            return;
        }
        due = *found;
    }
    for (const std::uint32_t domain : due) {
        auto in = store.write({"system", "notices of discovery"}, patience);
        if (!in) {
            return log_failure("discovery_failed", in.error());
        }
        const auto letters = write_digest(*in, domain, options.billed_at_once, box());
        if (!letters) {
            return log_failure("discovery_failed", letters.error());
        }
        if (const auto done = in->commit(); !done) {
            return log_failure("discovery_failed", done.error());
        }
        for (const letter& each : *letters) {
            send(each);
        }
    }
}

void service::body::forget() {
    if (store.now() - forgotten < forgotten_every) {
        return;
    }
    auto in = store.write({"system", "old candidates"}, patience);
    if (!in) {
        return;
    }
    if (const auto done = forget_old(*in); !done) {
        return log_failure("discovery_failed", done.error());
    }
    if (const auto done = in->commit(); !done) {
        return log_failure("discovery_failed", done.error());
    }
    forgotten = store.now();
}

result<std::optional<probe_effect>> service::body::ask_one(const domain_state& of, const directory::actor& by) {
    const probe::recipient_finding found = prober.ask_random(of.server->hosts, of.domain.name, stop);
    if (stop.load()) {
        return std::nullopt;
    }
    auto in = store.write(by, take_patience);
    if (!in) {
        return tl::unexpected(in.error());
    }
    auto effect = keep_probe(*in, of, found);
    if (!effect || !*effect) {
        return effect;
    }
    const auto [event, text] = words_of(**effect);
    std::optional<letter> notice;
    if (!event.empty()) {
        auto made = write_letter(*in, (*effect)->after, told_as::trouble, event, text, in->now(), box());
        if (!made) {
            return tl::unexpected(made.error());
        }
        notice = *std::move(made);
    }
    if (const auto done = in->commit(); !done) {
        return tl::unexpected(done.error());
    }
    {
        const std::lock_guard hold(mutex);
        ++sums.probes;
    }
    const bool trouble = event == "discovery_suspended";
    process::log(trouble ? process::level::warn : process::level::info,
                 event.empty() ? std::string_view("domain_probed") : std::string_view(event),
                 {{"domain", of.domain.name}, {"said", (*effect)->after.probe.said}, {"text", text}});
    send(notice);
    return effect;
}

std::size_t service::body::ask_random() {
    std::vector<domain_state> due;
    {
        const auto in = store.read();
        const auto domains = in ? due_probes(*in, store.now(), probes_at_once) : result<std::vector<std::uint32_t>>();
        if (!domains) {
            log_failure("discovery_failed", domains.error());
            return 0;
        }
        for (const std::uint32_t each : *domains) {
            auto of = find_state(*in, each);
            if (of && of->server) {
                due.push_back(*std::move(of));
            }
        }
    }
    std::size_t asked = 0;
    for (const domain_state& each : due) {
        if (stop.load()) {
            return asked;
        }
        ++asked;
        if (const auto done = ask_one(each, {"system", "probe of the domain"}); !done) {
            log_failure("discovery_failed", done.error());
        }
    }
    return asked;
}

std::size_t service::body::ask_bases() {
    std::vector<base_question> all;
    {
        const auto in = store.read();
        auto found = in ? bases_to_ask(*in, probes_at_once) : result<std::vector<base_question>>();
        if (!found) {
            log_failure("discovery_failed", found.error());
            return 0;
        }
        all = *std::move(found);
    }
    std::size_t asked = 0;
    for (const base_question& each : all) {
        const auto wait = again.find(each.address);
        if (stop.load() || (wait != again.end() && wait->second > store.now())) {
            continue;
        }
        const probe::recipient_finding found = prober.ask(each.hosts, each.address, stop);
        ++asked;
        auto in = store.write(by_evidence, take_patience);
        if (stop.load() || !in) {
            return asked;
        }
        const auto done = keep_base(*in, each, found);
        if (!done) {
            log_failure("discovery_failed", done.error());
            return asked;
        }
        if (const auto kept = in->commit(); !kept) {
            log_failure("discovery_failed", kept.error());
            return asked;
        }
        again.erase(each.address);
        if (found.accepted == found.refused) {
            again[each.address] = store.now() + probed_again;
        }
        if (*done) {
            count({**done});
        }
    }
    if (again.size() > 10 * probes_at_once) {
        again.clear();
    }
    return asked;
}

void service::body::tick() {
    end_due_modes();
    tell_ends();
    review_due();
    tell_digests();
    forget();
}

void service::body::run_clock() {
    std::unique_lock hold(mutex);
    while (!stop.load()) {
        hold.unlock();
        tick();
        hold.lock();
        changed.wait_for(hold, tick_every, [this] { return stop.load(); });
    }
}

void service::body::run_questions() {
    std::unique_lock hold(mutex);
    while (!stop.load()) {
        look = false;
        hold.unlock();
        ask_random();
        ask_bases();
        hold.lock();
        changed.wait_for(hold, look_every, [this] { return stop.load() || look; });
    }
}

service::service(directory::store& store, const probe::prober& prober, sync::service& syncs,
                 const recent::recent_store* seen, const service_options& options)
    : _body(std::make_unique<body>(store, prober, syncs, seen, options)) {
    if (options.scheduled) {
        _body->registration = store.on_commit([of = _body.get()](std::uint64_t) { of->wake(); });
        _body->threads.emplace_back([of = _body.get()] { of->run_clock(); });
        _body->threads.emplace_back([of = _body.get()] { of->run_questions(); });
    }
}

service::~service() {
    if (_body->options.scheduled) {
        _body->store.ignore_commits(_body->registration);
    }
    {
        const std::lock_guard hold(_body->mutex);
        _body->stop.store(true);
    }
    _body->changed.notify_all();
    for (std::thread& each : _body->threads) {
        each.join();
    }
}

void service::tick() {
    _body->tick();
}

std::size_t service::probe_due() {
    return _body->ask_random() + _body->ask_bases();
}

result<domain_state> service::probe_now(std::uint32_t domain, const directory::actor& by) {
    const auto find = [&]() -> result<domain_state> {
        const auto in = _body->store.read();
        if (!in) {
            return tl::unexpected(in.error());
        }
        return find_state(*in, domain);
    };
    auto of = find();
    if (!of) {
        return of;
    }
    if (!of->server) {
        return directory::fail(directory::error_kind::refused,
                               of->domain.name + " has no confirmed inbound server to ask: set one and confirm it");
    }
    if (const auto done = _body->ask_one(*of, by); !done) {
        return tl::unexpected(done.error());
    }
    return find();
}

result<std::uint64_t> service::position(std::string_view edge, std::string_view run) {
    const auto in = _body->store.read();
    if (!in) {
        return tl::unexpected(in.error());
    }
    return find_position(*in, edge, run);
}

result<void> service::take(const recent::batch& told) {
    if (!has_findings(told)) {
        return {};
    }
    auto in = _body->store.write(by_evidence, take_patience);
    if (!in) {
        return tl::unexpected(in.error());
    }
    const auto done = take_findings(*in, told);
    if (!done) {
        return tl::unexpected(done.error());
    }
    if (const auto kept = in->commit(); !kept) {
        return tl::unexpected(kept.error());
    }
    _body->count(done->happenings);
    _body->wake();  // a base may have to be asked for
    const std::lock_guard hold(_body->mutex);
    totals& sums = _body->sums;
    sums.good += done->good;
    sums.bad += done->bad;
    sums.suspended += done->suspended;
    sums.ignored += done->ignored;
    sums.dropped += done->dropped;
    return {};
}

totals service::counts() const {
    const std::lock_guard hold(_body->mutex);
    return _body->sums;
}

bool service::billed_at_once() const noexcept {
    return _body->options.billed_at_once;
}

}  // namespace postern::discovery
