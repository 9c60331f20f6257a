// The packet path between two ports of one process, in virtual time, with a relay between that tampers: whole frames
// through driver, Ethernet, ARP, IP and TCP at both ends. And a pool of buffers that runs dry.
#include <gtest/gtest.h>
#include <rte_mempool.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "dataplane/port/environment.h"
#include "dataplane/port/packet_shard.h"
#include "dataplane/port/ring_link.h"
#include "dataplane/tcp/header.h"
#include "perf/opener/opener.h"
#include "tests/dataplane/port/echo_layer.h"
#include "tests/wire/relay.h"

namespace postern::port {
namespace {

using namespace std::chrono_literals;

constexpr net::ip_address servers = net::ipv4(192, 0, 2, 1);
constexpr net::ip_address clients = net::ipv4(192, 0, 2, 9);
constexpr std::uint16_t smtp = 25;
constexpr std::uint16_t first_port = 20001;

/// Once for the process: DPDK does not start twice. server - near … far - client.
struct ports {
    std::unique_ptr<device> server;
    std::unique_ptr<device> near;
    std::unique_ptr<device> far;
    std::unique_ptr<device> client;

    ports() {
        const auto started = start_environment({{}, 96, false});
        EXPECT_TRUE(started) << started.error();
        const auto one = make_ring_link("servers", 512);
        const auto other = make_ring_link("clients", 512);
        server = opened(one->one);
        near = opened(one->other);
        far = opened(other->one);
        client = opened(other->other);
    }
    static std::unique_ptr<device> opened(const std::string& name) {
        device_settings settings;
        settings.name = name;
        settings.descriptors = 256;
        settings.spare_buffers = 1024;
        auto port = device::open(settings);
        EXPECT_TRUE(port) << port.error();
        return std::move(*port);
    }
    static ports& all() {
        static ports instance;
        return instance;
    }
};

net::interface_settings network_of(const net::ip_address& own, std::uint8_t mac) {
    net::interface_settings out;
    out.mac = {0x02, 0, 0, 0, 0, mac};
    out.addresses = {{own, 24}};
    out.find_duplicates = false;
    return out;
}

/// Active openers at the far end, with the port below them.
class client_side {
public:
    client_side(device& port, shard::instant now)
        : _queue(port.queue_at(0)), _framing(_queue), _interface(settings(), _framing, now) {
        _framing.use(_interface);
    }
    perf::opener& connect(shard::instant now) {
        perf::opener::options o;
        o.local = {clients, static_cast<std::uint16_t>(first_port + _openers.size())};
        o.server = {servers, smtp};
        o.isn = static_cast<std::uint32_t>(0xffffff00U + _openers.size());
        _openers.push_back(std::make_unique<perf::opener>(o, _framing));
        _openers.back()->connect(now);
        return *_openers.back();
    }
    bool knows_the_server() const { return _interface.gateways_reachable(); }
    void turn(shard::instant now) {
        for (const received_frame& frame : _queue.receive()) {
            const auto verdict = _interface.input(frame.octets, now);
            if (verdict.is != net::interface::verdict::what::segment) {
                continue;
            }
            const auto read =
                tcp::read_segment({verdict.packet.from, 0}, {verdict.packet.to, 0}, verdict.packet.payload);
            const std::size_t i = read ? read->local.port - first_port : _openers.size();
            if (i < _openers.size()) {
                _openers[i]->input(*read, now);
            }
        }
        _interface.tick(now);
        for (const auto& o : _openers) {
            o->poll(now);
        }
        _queue.flush();
        _queue.release();
    }

private:
    static net::interface_settings settings() {
        net::interface_settings out = network_of(clients, 0x09);
        out.gateways = {servers};  // whose Ethernet address is asked for
        return out;
    }
    queue _queue;
    framing _framing;
    net::interface _interface;
    std::vector<std::unique_ptr<perf::opener>> _openers;
};

struct cable {
    queue near = ports::all().near->queue_at(0);
    queue far = ports::all().far->queue_at(0);
    wire::relay relay{near, far, {.delay = 5ms}};
};

class ring_test : public ::testing::Test {
protected:
    void SetUp() override {
        for (const device* const port :
             {ports::all().server.get(), ports::all().near.get(), ports::all().far.get(), ports::all().client.get()}) {
            ASSERT_TRUE(port);
        }
        at_rest = in_use();
        _cable.emplace();
        relay = &_cable->relay;
        const std::array listeners{tcp::endpoint::listener{{servers, smtp}, 0}};
        tcp::settings settings;
        settings.retransmissions = 60;
        settings.syn_ack_retransmissions = 60;
        settings.unsent_time = std::chrono::hours(1);
        parts.emplace(*ports::all().server, std::uint16_t{0}, network_of(servers, 0x01), listeners, limits, settings,
                      tcp::random_secrets(), now);
        layer.emplace(parts->endpoint());
        client.emplace(*ports::all().client, now);
        ASSERT_TRUE(run([&] { return client->knows_the_server(); }, 10s));
    }
    void TearDown() override {
        if (!parts) {
            return;
        }
        EXPECT_TRUE(run([&] { return parts->endpoint().connections() == 0 && parts->endpoint().in_time_wait() == 0; },
                        std::chrono::minutes(10)));
        EXPECT_TRUE(parts->endpoint().consistent());
        EXPECT_EQ(parts->endpoint().buffered(), 0U);
        EXPECT_EQ(parts->endpoint().timers(), 0U);
        run([] { return false; }, 1s);
        client.reset();
        layer.reset();
        parts.reset();
        _cable.reset();
        EXPECT_EQ(in_use(), at_rest) << "buffers that nobody gave back";
    }

    static std::uint32_t in_use() {
        ports& p = ports::all();
        return p.server->buffers_in_use() + p.near->buffers_in_use() + p.far->buffers_in_use() +
               p.client->buffers_in_use();
    }
    /// Until `holds`, for at most `most` of virtual time.
    template <class F>
    bool run(F&& holds, shard::instant most) {
        for (const shard::instant end = now + most; now < end; now += 1ms) {
            if (holds()) {
                return true;
            }
            tcp::run_turn(parts->endpoint(), *layer, now, parts->receive(now));
            parts->end_turn();
            relay->turn(now);
            client->turn(now);
            relay->turn(now);
        }
        return holds();
    }
    static std::string noise(std::size_t n) {
        std::mt19937 random(7);
        std::string out(n, '\0');
        for (char& c : out) {
            c = static_cast<char>(random());
        }
        return out;
    }
    /// There and back, octet for octet.
    void expect_echo(std::size_t size, shard::instant most) {
        const std::string content = noise(size);
        perf::opener& one = client->connect(now);
        one.send(content, now);
        one.close(now);
        std::string got;
        EXPECT_TRUE(run(
            [&] {
                got += one.take();
                return one.closed();
            },
            most))
            << got.size() << " octets came back";
        EXPECT_TRUE(got == "220 echo\r\n" + content) << got.size();
    }

    shard::instant now{1000s};
    shard::connection_limits limits{std::array<shard::connection_limits::limits, 1>{{{1000, 1000}}}};
    std::uint32_t at_rest = 0;
    wire::relay* relay = nullptr;
    std::optional<packet_shard> parts;
    std::optional<echo_layer<tcp::endpoint>> layer;
    std::optional<client_side> client;

private:
    std::optional<cable> _cable;
};

wire::tamper_rule<wire::crossing> rule(bool from_near, std::uint8_t flags, unsigned times, wire::deed does) {
    return {[=](const wire::crossing& c) { return c.from_near == from_near && c.tcp && (c.flags & flags) == flags; },
            times,
            does,
            {}};
}

TEST(framing, has_a_short_way_for_plain_replies_that_writes_what_the_long_way_does) {
    ASSERT_TRUE(ports::all().server && ports::all().near);
    queue out = ports::all().server->queue_at(0);
    queue in = ports::all().near->queue_at(0);
    framing frames(out);
    const net::interface interface(network_of(servers, 0x01), frames, shard::instant{});
    frames.use(interface);
    out.flush();
    while (!in.receive().empty()) {
        in.release();  // what the interface says of itself
    }
    std::mt19937 random(11);
    const shard::endpoint local{servers, smtp};
    for (std::size_t size = 1; size <= 1400; size += size < 70 ? 1 : 133) {
        std::string text(size, '\0');
        std::generate(text.begin(), text.end(), [&] { return static_cast<char>(size % 3 == 0 ? 0xff : random()); });
        const shard::endpoint peer{clients, static_cast<std::uint16_t>(random())};
        const tcp::plain_reply reply{.local = local,
                                     .peer = peer,
                                     .seq = static_cast<std::uint32_t>(random()),
                                     .ack = static_cast<std::uint32_t>(random()),
                                     .window = static_cast<std::uint16_t>(random()),
                                     .has_timestamps = size % 5 != 0,
                                     .timestamp = static_cast<std::uint32_t>(random()),
                                     .timestamp_echo = static_cast<std::uint32_t>(random()),
                                     .payload = text,
                                     .link = 0x02'00'00'00'00'09};
        ASSERT_TRUE(frames.send_reply(reply));
        ASSERT_TRUE(frames.tcp::segment_sink::send_reply(reply));
        out.flush();
        const auto both = in.receive();
        ASSERT_EQ(both.size(), 2U);
        EXPECT_TRUE(std::ranges::equal(both[0].octets, both[1].octets)) << size << " octets";
        in.release();
    }
}

TEST_F(ring_test, a_good_wire) {
    expect_echo(100'000, 60s);
    EXPECT_EQ(parts->counts().bad_segments.value(), 0U);
}

TEST_F(ring_test, the_first_of_each_kind_are_dropped) {
    relay->path().rules = {rule(false, tcp::flag::syn, 1, wire::deed::drop),
                           rule(true, tcp::flag::syn | tcp::flag::ack, 2, wire::deed::drop),
                           rule(true, tcp::flag::fin, 2, wire::deed::drop),
                           rule(false, tcp::flag::fin, 1, wire::deed::drop)};
    expect_echo(10'000, std::chrono::minutes(2));
    EXPECT_EQ(relay->path().dropped, 6U);
}

TEST_F(ring_test, broken_segments_are_seen_by_their_checksum) {
    relay->path().rules = {rule(false, tcp::flag::ack, 20, wire::deed::corrupt)};
    expect_echo(50'000, std::chrono::minutes(5));
    EXPECT_EQ(relay->path().corrupted, 20U);
    EXPECT_GT(parts->counts().bad_segments.value() +
                  parts->interface().counts().drops[static_cast<std::size_t>(net::drop::bad_ip_checksum)].value(),
              10U);
}

TEST_F(ring_test, a_wire_that_does_all_of_it) {
    for (unsigned seed = 1; seed <= 3; ++seed) {
        relay->path().change(
            {.lost = 100, .duplicated = 50, .reordered = 200, .corrupted = 20, .delay = 5ms, .seed = seed});
        expect_echo(30'000, std::chrono::minutes(60));
    }
    relay->path().change({.delay = 1ms});
}

TEST_F(ring_test, a_pool_without_buffers_holds_everything_up_and_breaks_nothing) {
    const std::string content = noise(200'000);  // more than fits into the burst of buffers that the queue has at hand
    perf::opener& one = client->connect(now);
    one.send(content, now);
    std::string got;
    ASSERT_TRUE(run(
        [&] {
            got += one.take();
            return got.size() > 20'000;
        },
        60s));
    // Whatever the pool of the first port opened, the server's, still has is taken.
    rte_mempool* const pool = rte_mempool_lookup("postern-0-0");
    ASSERT_NE(pool, nullptr);
    std::vector<rte_mbuf*> all;
    const auto take_all = [&] {
        while (rte_mbuf* const m = rte_pktmbuf_alloc(pool)) {
            all.push_back(m);
        }
        return false;
    };
    take_all();
    ASSERT_GT(all.size(), 100U);
    const std::uint64_t before = parts->frames().counts().no_frame_buffer.value();
    perf::opener& late = client->connect(now);
    run(take_all, 5s);  // what the queue had at hand comes back once
    got += one.take();
    EXPECT_GT(parts->frames().counts().no_frame_buffer.value(), before);
    EXPECT_LT(got.size(), content.size());
    EXPECT_TRUE(parts->endpoint().consistent());
    rte_pktmbuf_free_bulk(all.data(), static_cast<unsigned>(all.size()));
    one.close(now);
    late.close(now);
    EXPECT_TRUE(run(
        [&] {
            got += one.take();
            return one.closed() && late.closed();
        },
        std::chrono::minutes(10)));
    EXPECT_TRUE(got == "220 echo\r\n" + content) << got.size();
    EXPECT_EQ(late.take(), "220 echo\r\n");
    expect_echo(5'000, 60s);
}

}  // namespace
}  // namespace postern::port
