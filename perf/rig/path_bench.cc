// postern-path-bench: what Postern's packet path costs, with no wire: a generator on one core, a shard on the other, a
// ring link between them. Prints one JSON object; `./dev bench dataplane` runs it and makes the record.
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <optional>
#include <thread>

#include "dataplane/port/environment.h"
#include "dataplane/port/ring_link.h"
#include "perf/rig/generator.h"
#include "perf/rig/recipient_list.h"
#include "perf/rig/shard_side.h"

namespace {

using namespace postern;             // NOLINT(google-build-using-namespace): a program's own file
using namespace postern::perf::rig;  // NOLINT(google-build-using-namespace): likewise
using plan_of_load = perf::rig::plan;
using std::chrono::duration;
using std::chrono::steady_clock;

struct options {
    std::string mode = "single";
    plan_of_load plan;
    std::uint64_t recipients = 1'000'000;
    double seconds = 1;
    unsigned windows = 7;
    double warm_up = 0.3;
    double rate = 0;
    std::vector<unsigned> cores;
    std::size_t memory_mib = 128;
    std::uint16_t frames = 1024;  ///< each direction of the link holds
    std::uint64_t in_step = 0;    ///< RCPTs to be answered with generator and shard in turn on one thread; 0: two
};

std::uint64_t resident() {
    std::ifstream in("/proc/self/statm");
    std::uint64_t size = 0;
    std::uint64_t pages = 0;
    in >> size >> pages;
    return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

void pin(std::thread& thread, unsigned core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    ::pthread_setaffinity_np(thread.native_handle(), sizeof set, &set);
}

/// Cycles of the time stamp counter in a second.
double cycles_per_second() {
    const auto began = steady_clock::now();
    const std::uint64_t before = cycles();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const std::uint64_t after = cycles();
    return static_cast<double>(after - before) / duration<double>(steady_clock::now() - began).count();
}

/// The generator's thread: its rounds, its pace, how busy it is.
struct load {
    generator& client;
    double hz;
    double rate;  ///< commands a second; 0: as fast as they are answered
    meter busy;

    void run(const std::atomic<bool>& stop) {
        const port::registered_thread registered;
        std::uint64_t before = cycles();
        double owed = 0;
        while (!stop.load(std::memory_order_relaxed)) {
            std::uint32_t credit = 1U << 16U;
            if (rate != 0) {
                credit = static_cast<std::uint32_t>(owed);
            }
            const std::uint32_t had = credit;
            const bool any = client.turn(static_cast<std::uint32_t>(static_cast<double>(before) * 1000 / hz), credit);
            const std::uint64_t after = cycles();
            busy.turn(any ? 1 : 0, after - before);
            owed += static_cast<double>(after - before) * rate / hz - (had - credit);
            owed = std::min(owed, 1024.0);  // what could not be sent in time is not made up for
            before = after;
        }
    }
};

struct reading_of {
    std::uint64_t at, rcpts, listed, sessions, turns, busy_turns, busy_cycles, frames, load_cycles;
};

class json {
public:
    json& put(const char* key, double value) { return text(key, number(value)); }
    json& put(const char* key, const std::string& value) { return text(key, '"' + value + '"'); }
    json& text(const char* key, const std::string& value) {
        _out += _out.empty() ? "{" : ", ";
        _out += '"';
        _out += key;
        _out += "\": " + value;
        return *this;
    }
    std::string done() const { return _out + '}'; }

private:
    static std::string number(double value) {
        char out[32];  // NOLINT: for snprintf
        std::snprintf(out, sizeof out, "%.12g", value);
        return out;
    }
    std::string _out;
};

class bench {
public:
    explicit bench(const options& o) : _options(o), _hz(cycles_per_second()) {}

    /// The error says what is missing.
    std::optional<std::string> run() {
        const auto environment = port::start_environment({{}, _options.memory_mib, false});
        if (!environment) {
            return environment.error();
        }
        _out.put("mode", _options.mode);
        _out.put("huge_pages", environment->huge_pages ? 1 : 0);
        const auto link = port::make_ring_link("path", _options.frames);
        if (!link) {
            return link.error();
        }
        const auto open = [&](const std::string& name) {
            port::device_settings wanted;
            wanted.name = name;
            wanted.descriptors = _options.frames;
            wanted.spare_buffers = 512;
            return port::device::open(wanted);
        };
        auto far = open(link->one);
        auto near = open(link->other);
        if (!far || !near) {
            return (far ? near : far).error();
        }
        if (_options.plan.what == work::macswap) {
            macswap_side side(**near);
            port::queue frames = (*far)->queue_at(0);
            generator client(frames, _options.plan);
            with_load(
                client, side.meter(), [&](const std::atomic<bool>& stop) { side.run(stop); }, [] { return true; });
            return std::nullopt;
        }
        auto table = make_recipients(_options.recipients, _options.plan.domains);
        if (!table) {
            return table.error();
        }
        const std::atomic<const recipients::snapshot*> in_force{table->get()};
        warm_memory(**far, **near, in_force);
        port::queue frames = (*far)->queue_at(0);
        if (_options.in_step == 0) {
            frames.try_for(1U << 30U);  // clients send no command again: it must get through
        }
        generator client(frames, _options.plan);  // before memory is measured: it is none of Postern's
        const std::uint64_t before = resident();
        postern_side side(**near, {.connections = _options.plan.connections + 1024}, in_force);
        if (_options.in_step != 0) {
            return in_step(client, side);
        }
        with_load(
            client, side.meter(), [&](const std::atomic<bool>& stop) { side.run(stop); },
            [&] {
                _out.put("resident_grown", static_cast<double>(resident()) - static_cast<double>(before));
                _out.put("held", static_cast<double>(side.sessions().sessions_open.get()));
                return true;
            });
        _out.put("left_connections", static_cast<double>(side.connections()));
        _out.put("left_buffered", static_cast<double>(side.buffered()));
        _out.put("consistent", side.consistent() ? 1 : 0);
        json counts;
        side.each_count([&](std::string_view name, std::uint64_t value) {
            if (value != 0) {
                counts.put(std::string(name).c_str(), static_cast<double>(value));
            }
        });
        _out.text("counts", counts.done());
        return std::nullopt;
    }

    std::string result() const { return _out.done(); }

private:
    /// A small shard runs first, so that buffers and code are there before memory is measured.
    void warm_memory(port::device& far, port::device& near, const std::atomic<const recipients::snapshot*>& table) {
        plan_of_load small = _options.plan;
        small.what = work::churn;
        small.connections = small.window = std::min(256U, _options.plan.window);
        postern_side side(near, {.connections = 1024, .time_wait = 1024}, table);
        port::queue frames = far.queue_at(0);
        generator client(frames, small);
        client.begin();
        load one{client, _hz, 0, {}};
        run_both(
            one, [&](const std::atomic<bool>& stop) { side.run(stop); },
            [&] {
                wait_until([&] { return client.counts().sessions.value() > 4 * std::uint64_t{_options.frames}; }, 5);
                client.close();
                wait_until([&] { return side.sessions().sessions_open.get() == 0; }, 5);
            });
        empty(far);
        empty(near);
    }

    /// What is left on the way at a port's end belongs to connections that are over.
    static void empty(port::device& port) {
        port::queue frames = port.queue_at(0);
        while (!frames.receive().empty()) {
            frames.release();
        }
    }

    /// The same load with nothing left to chance: for counting instructions (docs/performance.md).
    std::optional<std::string> in_step(generator& client, postern_side& side) {
        const port::registered_thread registered;
        std::uint32_t turns = 0;
        const auto run_until = [&](const shard::counter& what, std::uint64_t wanted) {
            for (; what.value() < wanted; ++turns) {
                std::uint32_t credit = 1U << 16U;
                client.turn(turns / 1000, credit);  // about a turn a microsecond
                side.turn();
            }
        };
        run_until(client.counts().opened, _options.plan.connections);
        client.begin();
        run_until(client.counts().rcpts, _options.in_step / 10);
        const std::uint64_t rcpts = client.counts().rcpts.value();
        const std::uint64_t before = side.meter().busy_cycles.value();
        run_until(client.counts().rcpts, rcpts + _options.in_step);
        const auto answered = static_cast<double>(client.counts().rcpts.value() - rcpts);
        _out.put("rcpts", answered);
        _out.put("ns_per_rcpt", static_cast<double>(side.meter().busy_cycles.value() - before) / _hz * 1e9 / answered);
        _out.put("wrong", static_cast<double>(client.counts().wrong.value()));
        return std::nullopt;
    }

    template <class Condition>
    static bool wait_until(Condition&& condition, double seconds) {
        const auto end = steady_clock::now() + duration<double>(seconds);
        while (!condition()) {
            if (steady_clock::now() > end) {
                return false;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
        return true;
    }

    void run_both(load& one, const std::function<void(const std::atomic<bool>&)>& side,
                  const std::function<void()>& meanwhile) {
        std::atomic<bool> stop{false};
        std::atomic<bool> stop_load{false};
        std::thread shard([&] { side(stop); });
        std::thread client([&] { one.run(stop_load); });
        ::pthread_setname_np(shard.native_handle(), "shard");
        ::pthread_setname_np(client.native_handle(), "generator");
        if (_options.cores.size() >= 2) {
            pin(shard, _options.cores[0]);
            pin(client, _options.cores[1]);
        }
        meanwhile();
        stop_load = true;
        client.join();
        stop = true;
        shard.join();
    }

    void with_load(generator& client, const meter& of, const std::function<void(const std::atomic<bool>&)>& side,
                   const std::function<bool()>& when_open) {
        load one{client, _hz, _options.rate, {}};
        const generator_counts& counts = client.counts();
        const auto read = [&] {
            return reading_of{cycles(),
                              counts.rcpts.value(),
                              counts.listed.value(),
                              counts.sessions.value(),
                              of.turns.value(),
                              of.busy_turns.value(),
                              of.busy_cycles.value(),
                              of.frames.value(),
                              one.busy.busy_cycles.value()};
        };
        std::vector<std::string> windows;
        run_both(one, side, [&] {
            const plan_of_load& p = _options.plan;
            const auto began = steady_clock::now();
            const bool opens = p.what == work::rcpt || p.what == work::hold;
            if (opens && !wait_until([&] { return counts.opened.value() >= p.connections; }, 60)) {
                _out.put("fault", std::string("not all connections opened"));
            }
            _out.put("opening_s", duration<double>(steady_clock::now() - began).count());
            if (p.what == work::hold) {
                std::this_thread::sleep_for(duration<double>(_options.warm_up));
            }
            if (!when_open()) {
                return;
            }
            client.begin();
            std::this_thread::sleep_for(duration<double>(_options.warm_up));
            for (unsigned i = 0; i < _options.windows && p.what != work::hold; ++i) {
                const reading_of a = read();
                std::this_thread::sleep_for(duration<double>(_options.seconds));
                const reading_of b = read();
                windows.push_back(window(a, b));
            }
            client.close();
            if (p.what != work::macswap) {
                wait_until([&] { return counts.sessions.value() + counts.lost.value() >= counts.opened.value(); }, 60);
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        });
        std::string all;
        for (const std::string& w : windows) {
            all += (all.empty() ? "" : ", ") + w;
        }
        _out.text("windows", '[' + all + ']');
        _out.put("opened", static_cast<double>(counts.opened.value()));
        _out.put("closed", static_cast<double>(counts.sessions.value()));
        _out.put("wrong", static_cast<double>(counts.wrong.value()));
        _out.put("bad_checksums", static_cast<double>(counts.bad_checksums.value()));
        _out.put("again", static_cast<double>(counts.again.value()));
        _out.put("lost", static_cast<double>(counts.lost.value()));
        _out.put("example", client.example());
        _out.put("hz", _hz);
    }

    std::string window(const reading_of& a, const reading_of& b) const {
        const auto d = [&](std::uint64_t reading_of::*field) { return static_cast<double>(b.*field - a.*field); };
        const double seconds = d(&reading_of::at) / _hz;
        json out;
        out.put("seconds", seconds);
        out.put("rcpts", d(&reading_of::rcpts));
        out.put("rcpts_per_s", d(&reading_of::rcpts) / seconds);
        out.put("sessions_per_s", d(&reading_of::sessions) / seconds);
        out.put("listed_share", d(&reading_of::listed) / std::max(d(&reading_of::rcpts), 1.0));
        out.put("ns_per_rcpt", d(&reading_of::busy_cycles) / _hz * 1e9 / std::max(d(&reading_of::rcpts), 1.0));
        out.put("frames_per_turn", d(&reading_of::frames) / std::max(d(&reading_of::busy_turns), 1.0));
        out.put("turns", d(&reading_of::turns));
        out.put("busy_turns", d(&reading_of::busy_turns));
        out.put("shard_busy", d(&reading_of::busy_cycles) / std::max(d(&reading_of::at), 1.0));
        out.put("generator_busy", d(&reading_of::load_cycles) / std::max(d(&reading_of::at), 1.0));
        return out.done();
    }

    const options& _options;
    double _hz;
    json _out;
};

int read_options(int argc, char** argv, options& o) {
    CLI::App app{"Measures Postern's packet path between two threads, with no wire; prints JSON."};
    app.add_option("mode", o.mode, "single, pipelined, churn, hold or macswap")
        ->check(CLI::IsMember({"single", "pipelined", "churn", "hold", "macswap"}));
    app.add_option("--connections", o.plan.connections, "open at a time")->check(CLI::Range(1, 4'000'000));
    app.add_option("--sources", o.plan.sources, "source addresses, a power of two");
    app.add_option("--window", o.plan.window, "commands (churn: sessions) on their way")->check(CLI::Range(1, 500));
    app.add_option("--pipeline", o.plan.pipeline, "RCPTs in one go")->check(CLI::Range(1, 64));
    app.add_option("--listed-share", o.plan.listed_share, "of the RCPTs: to addresses on the list")
        ->check(CLI::Range(0.0, 1.0));
    app.add_option("--recipients", o.recipients, "addresses on the list");
    app.add_option("--domains", o.plan.domains, "that the addresses are in")->check(CLI::Range(1, 1'000'000));
    app.add_option("--seed", o.plan.seed, "of the addresses and the order of connections");
    app.add_option("--seconds", o.seconds, "of each window");
    app.add_option("--windows", o.windows, "measured one after the other");
    app.add_option("--warm-up", o.warm_up, "seconds before the first");
    app.add_option("--rate", o.rate, "commands a second; 0: as fast as they are answered");
    app.add_option("--cores", o.cores, "core of the shard, core of the generator")->delimiter(',')->expected(2);
    app.add_option("--in-step", o.in_step, "RCPTs to be answered, generator and shard in turn on one thread");
    app.add_option("--memory", o.memory_mib, "MiB for frame buffers");
    CLI11_PARSE(app, argc, argv);
    if (!client_names::fit(o.plan.connections, o.plan.sources)) {
        std::fprintf(stderr, "postern-path-bench: at most %u connections come from each of --sources\n",
                     unsigned{client_names::ports});
        return 2;
    }
    o.plan.listed = o.recipients;
    o.plan.what = o.mode == "hold"      ? work::hold
                  : o.mode == "churn"   ? work::churn
                  : o.mode == "macswap" ? work::macswap
                                        : work::rcpt;
    if (o.plan.what == work::churn) {
        o.plan.connections = o.plan.window;
    }
    if (o.mode == "pipelined" && o.plan.pipeline == 1) {
        o.plan.pipeline = 50;
    }
    return -1;
}

}  // namespace

int main(int argc, char** argv) {
    options o;
    if (const int status = read_options(argc, argv, o); status >= 0) {
        return status;
    }
    bench one(o);
    if (const auto fault = one.run()) {
        std::fprintf(stderr, "postern-path-bench: %s\n", fault->c_str());
        return 1;
    }
    std::puts(one.result().c_str());
    return 0;
}
