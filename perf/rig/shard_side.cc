#include "perf/rig/shard_side.h"

#include <x86intrin.h>

#include "dataplane/port/packet_loop.h"
#include "perf/rig/client_frames.h"
#include "smtp/session/layer.h"

namespace postern::perf::rig {
namespace {

using clock = std::chrono::steady_clock;

/// Nobody behind: listed recipients are told so before it is asked.
class no_relay final : public relay::port {
public:
    bool begin(relay::transaction_id, const std::shared_ptr<const recipients::route>&,
               const relay::envelope&) override {
        return false;
    }
    void recipient(relay::transaction_id, std::string_view, const relay::list_word&) override {}
    void data(relay::transaction_id) override {}
    std::size_t room(relay::transaction_id) const override { return 0; }
    std::size_t chunk(relay::transaction_id, std::span<const char>) override { return 0; }
    void end_of_data(relay::transaction_id) override {}
    void abandon(relay::transaction_id) override {}
    bool next_event(relay::event&) override { return false; }
    bool idle() const override { return true; }
    void flush() override {}
};

net::interface_settings network() {
    net::interface_settings out;
    out.mac = server_mac;
    out.addresses = {{server_address, 24}};
    return out;
}

session::settings sessions_for(const shard_plan& plan) {
    session::settings out;
    out.name = "edge.example.com";
    out.listeners.emplace_back();
    out.transactions = plan.connections;
    return out;
}

tcp::settings tcp_for(const shard_plan& plan) {
    tcp::settings out;
    out.connections = plan.connections;
    out.time_wait = plan.time_wait;
    // A reply of each connection may wait for its ACK, which the clients take their time for.
    out.buffers = std::max(out.buffers, std::size_t{plan.connections} * 512);
    return out;
}

constexpr std::array listeners{tcp::endpoint::listener{{net::unspecified_ipv4, server_port}, 0}};

}  // namespace

std::uint64_t cycles() noexcept {
    return __rdtsc();
}

struct postern_side::parts {
    shard::connection_limits limits;
    session::settings settings;
    no_relay relay;
    session::counters counts;
    session::seen_recipients seen{2048};  // nobody takes them: full, as it is in a flood
    port::packet_shard shard;
    session::layer<tcp::endpoint> layer;
    port::packet_loop<session::layer<tcp::endpoint>> loop;
    rig::meter meter;

    parts(port::device& device, const shard_plan& plan, const std::atomic<const recipients::snapshot*>& table)
        : limits(std::array{shard::connection_limits::limits{plan.connections, plan.connections}}),
          settings(sessions_for(plan)),
          shard(device, 0, network(), listeners, limits, tcp_for(plan), tcp::random_secrets(),
                clock::now().time_since_epoch()),
          layer(shard.endpoint(), {settings, table, relay, counts, 0, &seen}),
          loop(shard, layer, {.busy = true}) {}
};

postern_side::postern_side(port::device& device, const shard_plan& plan,
                           const std::atomic<const recipients::snapshot*>& table)
    : _parts(std::make_unique<parts>(device, plan, table)) {}
postern_side::~postern_side() = default;

void postern_side::run(const std::atomic<bool>& stop) {
    const port::registered_thread registered;
    shard::quiescent_reader reader;
    const shard::counter& received = _parts->shard.frames().counts().received;
    std::uint64_t before = cycles();
    std::uint64_t had = received.value();
    while (!stop.load(std::memory_order_relaxed)) {
        _parts->loop.turn();
        reader.quiescent();
        const std::uint64_t after = cycles();
        const std::uint64_t has = received.value();
        _parts->meter.turn(has - had, after - before);
        before = after;
        had = has;
    }
}

void postern_side::turn() {
    const shard::counter& received = _parts->shard.frames().counts().received;
    const std::uint64_t had = received.value();
    const std::uint64_t before = cycles();
    _parts->loop.turn();
    _parts->meter.turn(received.value() - had, cycles() - before);
}

const meter& postern_side::meter() const noexcept {
    return _parts->meter;
}
const session::counters& postern_side::sessions() const noexcept {
    return _parts->counts;
}
void postern_side::each_count(const std::function<void(std::string_view, std::uint64_t)>& see) const {
    _parts->shard.each_count(see);
}
std::size_t postern_side::connections() const noexcept {
    return _parts->shard.endpoint().connections();
}
std::size_t postern_side::buffered() const noexcept {
    return _parts->shard.endpoint().buffered();
}
bool postern_side::consistent() const noexcept {
    return _parts->shard.endpoint().consistent();
}

void macswap_side::run(const std::atomic<bool>& stop) {
    const port::registered_thread registered;
    shard::quiescent_reader reader;
    std::uint64_t before = cycles();
    volatile std::chrono::nanoseconds::rep now = 0;  // a turn of the real loop reads the clock, too
    while (!stop.load(std::memory_order_relaxed)) {
        now = clock::now().time_since_epoch().count();
        const std::size_t found = _queue.receive().size();
        _queue.reflect();
        reader.quiescent();
        const std::uint64_t after = cycles();
        _meter.turn(found, after - before);
        before = after;
    }
    static_cast<void>(now);
}

}  // namespace postern::perf::rig
