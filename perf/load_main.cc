// postern-load: load on an SMTP server, every reply checked. Exit status: 0 all right, 1 something was answered
// wrongly, lost or late, 2 the command line, 3 the target or the machine.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <memory>
#include <mutex>
#include <thread>

#include "perf/options.h"
#include "perf/packets/packets.h"
#include "perf/report.h"
#include "perf/series.h"

namespace {

using namespace postern;  // NOLINT(google-build-using-namespace): the program's own namespace

std::atomic<bool> stop_asked{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void on_signal(int /*number*/) {
    stop_asked.store(true, std::memory_order_relaxed);
}

std::vector<std::unique_ptr<perf::worker>> make_workers(const perf::options& made, const perf::transport_maker& how) {
    std::vector<std::unique_ptr<perf::worker>> workers;
    std::size_t first = 0;
    for (std::size_t i = 0; i < made.threads; ++i) {
        perf::share part;
        part.connections = made.connections / made.threads + (i < made.connections % made.threads ? 1 : 0);
        if (made.count != 0) {
            part.units = made.count / made.threads + (i < made.count % made.threads ? 1 : 0);
        }
        part.per_second = made.rate / static_cast<double>(made.threads);
        part.open_loop = made.open_loop;
        part.first = static_cast<std::uint32_t>(first);
        part.seed = made.seed * 1'000'003U + i;
        first += part.connections;
        workers.push_back(std::make_unique<perf::worker>(made.plan, how, part, made.bounds,
                                                         made.windows ? &*made.windows : nullptr, stop_asked));
    }
    return workers;
}

void show_progress(const std::vector<std::unique_ptr<perf::worker>>& workers, std::uint64_t& before) {
    std::uint64_t rcpts = 0;
    std::uint64_t failures = 0;
    std::uint64_t open = 0;
    for (const auto& one : workers) {
        rcpts += one->live().rcpts.load(std::memory_order_relaxed);
        failures += one->live().failures.load(std::memory_order_relaxed);
        open += one->live().open.load(std::memory_order_relaxed);
    }
    std::fprintf(stderr, "%llu RCPT/s, %llu connections, %llu failures\n",
                 static_cast<unsigned long long>(rcpts - before), static_cast<unsigned long long>(open),
                 static_cast<unsigned long long>(failures));
    before = rcpts;
}

/// Writes a report to its file, or to standard output for "-"; false if that fails, which it tells.
bool write(const std::string& path, const std::string& text) {
    if (path == "-") {
        std::fputs(text.c_str(), stdout);
        return true;
    }
    const auto written = process::replace_file(path, text, 0644);
    if (!written) {
        std::fprintf(stderr, "postern-load: %s\n", written.error().c_str());
    }
    return written.has_value();
}

}  // namespace

int main(int argc, char** argv) {
    int status = 0;
    const auto made = perf::read_options(argc, argv, status);
    if (!made) {
        return status;
    }
    std::signal(SIGINT, on_signal);
    std::signal(SIGTERM, on_signal);

    std::unique_ptr<port::device> device;
    perf::transport_maker how = [&made](std::size_t slots) { return perf::sockets::make(made->target, slots); };
    if (made->port) {
        auto opened = perf::open_port(*made->port);
        if (!opened) {
            std::fprintf(stderr, "postern-load: %s\n", opened.error().c_str());
            return 3;
        }
        device = std::move(*opened);
        how = [&made, &device](std::size_t slots) {
            return perf::packets::make(*made->port, *device, slots, made->seed);
        };
    }
    const auto workers = make_workers(*made, how);
    std::mutex lock;
    std::condition_variable ended;
    std::size_t running = workers.size();
    std::string error;
    std::vector<std::thread> threads;
    threads.reserve(workers.size());
    for (const auto& one : workers) {
        threads.emplace_back([&lock, &ended, &running, &error, &one] {
            auto ran = one->run();
            const std::lock_guard hold(lock);
            if (!ran) {
                error = ran.error();
                stop_asked.store(true, std::memory_order_relaxed);
            }
            --running;
            ended.notify_one();
        });
    }
    {
        std::unique_lock hold(lock);
        std::uint64_t before = 0;
        while (!ended.wait_for(hold, std::chrono::seconds(1), [&] { return running == 0; })) {
            if (!made->quiet) {
                show_progress(workers, before);
            }
        }
    }
    for (auto& thread : threads) {
        thread.join();
    }
    if (!error.empty()) {
        std::fprintf(stderr, "postern-load: %s: %s\n", made->target_text.c_str(), error.c_str());
        return 3;
    }

    const perf::findings found(workers);
    if (!made->quiet) {
        std::fputs(perf::text_report(*made, found).c_str(), made->to_stdout() ? stderr : stdout);
    }
    const bool written = (made->json.empty() || write(made->json, perf::json_report(*made, found))) &&
                         (made->csv.empty() || write(made->csv, perf::csv_report(found))) &&
                         (made->plot.empty() || write(made->plot, perf::plot_report(*made, found)));
    return !written ? 3 : found.all.clean() ? 0 : 1;
}
