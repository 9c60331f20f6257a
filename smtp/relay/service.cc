#include "smtp/relay/service.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "smtp/relay/lane.h"
#include "smtp/relay/relay_thread.h"
#include "smtp/relay/resolver.h"
#include "smtp/relay/shard_port.h"

namespace postern::relay {

struct service::state {
    explicit state(relay::settings own)
        : settings(std::move(own)),
          wakers(std::max(settings.shards, 1U), nullptr),
          names(settings.limits.names_kept, settings.limits.stale_names_kept,
                [] { return shard::instant(std::chrono::steady_clock::now().time_since_epoch()); }) {
        const unsigned shards = std::max(settings.shards, 1U);
        const unsigned thread_count = std::max(settings.threads, 1U);
        for (unsigned i = 0; i < shards; ++i) {
            memories.push_back(std::make_unique<shard_memory>(std::max(settings.transactions_per_shard, 1U),
                                                              std::max(settings.chunks_per_shard, 1U)));
        }
        // lanes[thread * shards + shard]
        for (unsigned thread = 0; thread < thread_count; ++thread) {
            std::vector<lane*> of_thread;
            for (unsigned i = 0; i < shards; ++i) {
                lanes.push_back(std::make_unique<lane>(*memories[i]));
                of_thread.push_back(lanes.back().get());
            }
            threads.push_back(
                std::make_unique<relay_thread>(thread, settings, counts, names, std::move(of_thread), wakers));
        }
        for (unsigned i = 0; i < shards; ++i) {
            std::vector<lane*> of_shard;
            std::vector<thread_waker*> to_wake;
            for (unsigned thread = 0; thread < thread_count; ++thread) {
                of_shard.push_back(lanes[std::size_t{thread} * shards + i].get());
                to_wake.push_back(&threads[thread]->waker());
            }
            ports.push_back(
                std::make_unique<shard_port>(*memories[i], std::move(of_shard), std::move(to_wake), counts, closed));
        }
    }

    relay::settings settings;
    counters counts;
    std::atomic<bool> closed{false};
    std::vector<shard::waker*> wakers;
    std::vector<std::unique_ptr<shard_memory>> memories;
    std::vector<std::unique_ptr<lane>> lanes;
    std::vector<std::unique_ptr<relay_thread>> threads;
    // Before the threads in destruction: it stops calling back into them.
    resolver names;
    std::vector<std::unique_ptr<shard_port>> ports;
};

service::service(relay::settings settings) : _state(std::make_unique<state>(std::move(settings))) {}

service::~service() {
    stop();
}

void service::set_waker(unsigned shard, shard::waker* waker) {
    _state->wakers.at(shard) = waker;
}

port& service::port_of(unsigned shard) {
    return *_state->ports.at(shard);
}

tl::expected<void, std::string> service::start() {
    for (auto& one : _state->threads) {
        if (auto started = one->start(); !started) {
            stop();
            return started;
        }
    }
    return {};
}

void service::stop(std::chrono::milliseconds grace) {
    _state->closed.store(true, std::memory_order_relaxed);
    for (auto& one : _state->threads) {
        one->stop(grace);
    }
    for (auto& one : _state->threads) {
        one->join();
    }
}

const counters& service::counts() const noexcept {
    return _state->counts;
}

void service::lift_refusals(std::uint32_t route) {
    _state->threads[route % _state->threads.size()]->lift_refusals(route);
}

void service::probe_succeeded(std::uint32_t route) {
    lift_refusals(route);
}

}  // namespace postern::relay
