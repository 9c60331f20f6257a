#include "smtp/relay/relay_thread.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstring>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>

#include "board/process/egress.h"
#include "board/process/files.h"
#include "smtp/relay/engine.h"

namespace postern::relay {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::array<std::uint8_t, 12> mapped_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::size_t handlers_at_once = 64;
constexpr std::size_t read_octets = 16 * 1024;
constexpr auto least_attempt = std::chrono::seconds(2);

shard::instant clock_now() {
    return std::chrono::steady_clock::now().time_since_epoch();
}

tcp::endpoint to_asio(const shard::endpoint& from) {
    if (std::equal(mapped_prefix.begin(), mapped_prefix.end(), from.address.begin())) {
        asio::ip::address_v4::bytes_type v4{};
        std::copy(from.address.begin() + 12, from.address.end(), v4.begin());
        return {asio::ip::address_v4(v4), from.port};
    }
    asio::ip::address_v6::bytes_type v6{};
    std::copy(from.address.begin(), from.address.end(), v6.begin());
    return {asio::ip::address_v6(v6), from.port};
}

bool unspecified(const std::array<std::uint8_t, 16>& address) {
    const bool v4 = std::equal(mapped_prefix.begin(), mapped_prefix.end(), address.begin());
    return std::all_of(address.begin() + (v4 ? 12 : 0), address.end(), [](std::uint8_t octet) { return octet == 0; });
}

bool loopback(const std::array<std::uint8_t, 16>& address) {
    static constexpr std::array<std::uint8_t, 16> v6 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    return address == v6 ||
           (std::equal(mapped_prefix.begin(), mapped_prefix.end(), address.begin()) && address[12] == 127);
}

bool of_this_machine(const std::array<std::uint8_t, 16>& address) {
    if (loopback(address) || unspecified(address)) {
        return true;
    }
    ifaddrs* all = nullptr;
    if (getifaddrs(&all) != 0) {
        return false;
    }
    bool found = false;
    for (const ifaddrs* one = all; one != nullptr && !found; one = one->ifa_next) {
        std::array<std::uint8_t, 16> theirs{};
        if (one->ifa_addr == nullptr) {
            continue;
        }
        if (one->ifa_addr->sa_family == AF_INET) {
            sockaddr_in v4{};
            std::memcpy(&v4, one->ifa_addr, sizeof v4);
            std::copy(mapped_prefix.begin(), mapped_prefix.end(), theirs.begin());
            std::memcpy(theirs.data() + 12, &v4.sin_addr, sizeof v4.sin_addr);
        } else if (one->ifa_addr->sa_family == AF_INET6) {
            sockaddr_in6 v6{};
            std::memcpy(&v6, one->ifa_addr, sizeof v6);
            std::memcpy(theirs.data(), &v6.sin6_addr, sizeof v6.sin6_addr);
        } else {
            continue;
        }
        found = theirs == address;
    }
    freeifaddrs(all);
    return found;
}

/// One connection's kernel side.
struct kernel_link {
    explicit kernel_link(asio::io_context& io) : socket(io), attempt(io) {}
    tcp::socket socket;
    asio::steady_timer attempt;  ///< of one of several addresses
    std::vector<shard::endpoint> addresses;
    std::size_t next = 0;  ///< address to try
    unsigned tries = 0;    ///< tells an attempt's handlers from an earlier one's
    std::string last_error;
    bool open = false;
    bool waits_to_write = false;
    bool to_send = false;
};

}  // namespace

bool is_own_address(const std::vector<shard::endpoint>& own, const shard::endpoint& to) {
    return std::any_of(own.begin(), own.end(), [&to](const shard::endpoint& one) {
        if (one.port != to.port) {
            return false;
        }
        return one.address == to.address || (unspecified(to.address) && of_this_machine(one.address)) ||
               (unspecified(one.address) && of_this_machine(to.address));
    });
}

struct relay_thread::state final : network, thread_waker {
    state(unsigned own_number, const relay::settings& own, counters& counts, resolver& all_names,
          std::vector<lane*> lanes, const std::vector<shard::waker*>& all_wakers)
        : number(own_number),
          settings(own),
          names(all_names),
          wakers(all_wakers),
          shards(lanes.size()),
          io(1),
          wake_descriptor(io),
          timer(io),
          work(own, counts, *this, std::move(lanes)) {}

    // thread_waker
    void wake() noexcept override {
        // Pairs with the fence of `sleep`: either it sees the command in the ring or this sees it asleep.
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (asleep.load(std::memory_order_relaxed) && asleep.exchange(false, std::memory_order_relaxed)) {
            ring_bell();
        }
    }
    void ring_bell() noexcept {
        const std::uint64_t one = 1;
        // A full counter (EAGAIN) has woken it already.
        [[maybe_unused]] const auto written = ::write(bell.get(), &one, sizeof one);
    }

    // network
    void open(link_id link, const recipients::mail_host& host) override;
    void send(link_id link) override;
    void close(link_id link) override { links.erase(link); }
    std::time_t wall_clock() const override { return std::time(nullptr); }

    kernel_link* find(link_id link) {
        const auto known = links.find(link);
        return known == links.end() ? nullptr : known->second.get();
    }
    void addresses_known(link_id link, std::uint16_t port, const resolved& answer);
    void connect_next(link_id link);
    void connected(link_id link);
    void wait_to_read(link_id link);
    void read(link_id link);
    void write(link_id link);
    void write_all();

    void listen_to_bell();
    void run();
    void turn();
    void sleep();
    void wake_shards();

    unsigned number;
    const relay::settings& settings;
    resolver& names;
    const std::vector<shard::waker*>& wakers;
    std::size_t shards;
    process::descriptor bell;
    asio::io_context io;
    asio::posix::stream_descriptor wake_descriptor;
    asio::steady_timer timer;
    std::unordered_map<link_id, std::unique_ptr<kernel_link>> links;
    std::vector<link_id> sends;
    std::array<char, read_octets> buffer{};
    engine work;
    std::atomic<bool> asleep{false};
    std::atomic<bool> stopping{false};
    std::atomic<std::chrono::nanoseconds::rep> stop_by{0};
    std::thread thread;
};

// Opening

void relay_thread::state::open(link_id link, const recipients::mail_host& host) {
    links.emplace(link, std::make_unique<kernel_link>(io));
    names.resolve(host.host, [this, link, port = host.port](const resolved& answer) {
        // On a helper thread, or within the engine: both come back through the loop.
        asio::post(io, [this, link, port, answer] { addresses_known(link, port, answer); });
    });
}

void relay_thread::state::addresses_known(link_id link, std::uint16_t port, const resolved& answer) {
    kernel_link* const one = find(link);
    if (one == nullptr) {
        return;
    }
    one->addresses = answer.addresses;
    one->last_error = answer.error;
    if (settings.may_reach &&
        std::erase_if(one->addresses,
                      [this](const shard::endpoint& address) { return !settings.may_reach(address); }) != 0 &&
        one->addresses.empty()) {
        work.link_failed(link, engine::open_failure::not_allowed, process::egress_refusal("its address"), clock_now());
        return;
    }
    for (shard::endpoint& address : one->addresses) {
        address.port = port;
        if (is_own_address(settings.own_addresses, address)) {
            work.link_failed(link, engine::open_failure::own_address, "its address is one this system listens on",
                             clock_now());
            return;
        }
    }
    connect_next(link);
}

void relay_thread::state::connect_next(link_id link) {
    kernel_link& one = *find(link);
    error_code error;
    one.socket.close(error);
    one.attempt.cancel();
    if (one.next == one.addresses.size()) {
        work.link_failed(link, engine::open_failure::unreachable, one.last_error, clock_now());
        return;
    }
    const tcp::endpoint to = to_asio(one.addresses[one.next++]);
    const unsigned attempt = ++one.tries;
    if (one.next < one.addresses.size()) {
        // The last one may use up what the engine allows; those before it leave time for others.
        const auto share = settings.timeouts.connect / static_cast<int>(one.addresses.size());
        one.attempt.expires_after(std::max<std::chrono::milliseconds>(share, least_attempt));
        one.attempt.async_wait([this, link, attempt](error_code failed) {
            kernel_link* const late = find(link);
            if (!failed && late != nullptr && !late->open && late->tries == attempt) {
                late->last_error = "no answer";
                connect_next(link);
            }
        });
    }
    one.socket.open(to.protocol(), error);
    if (error) {
        one.last_error = error.message();
        asio::post(io, [this, link, attempt] {
            if (kernel_link* const again = find(link); again != nullptr && again->tries == attempt) {
                connect_next(link);
            }
        });
        return;
    }
    one.socket.async_connect(to, [this, link, attempt](error_code failed) {
        kernel_link* const tried = find(link);
        if (tried == nullptr || tried->tries != attempt || tried->open) {
            return;
        }
        if (failed) {
            tried->last_error = failed.message();
            connect_next(link);
            return;
        }
        connected(link);
    });
}

void relay_thread::state::connected(link_id link) {
    kernel_link& one = *find(link);
    one.open = true;
    one.attempt.cancel();
    error_code ignored;
    one.socket.non_blocking(true, ignored);
    one.socket.set_option(tcp::no_delay(true), ignored);
    wait_to_read(link);
    work.link_opened(link, clock_now());
}

// Reading and writing

void relay_thread::state::wait_to_read(link_id link) {
    find(link)->socket.async_wait(tcp::socket::wait_read, [this, link](error_code failed) {
        if (!failed && find(link) != nullptr) {
            read(link);
        }
    });
}

void relay_thread::state::read(link_id link) {
    error_code error;
    const std::size_t octets = find(link)->socket.read_some(asio::buffer(buffer), error);
    if (error == asio::error::would_block || error == asio::error::interrupted) {
        wait_to_read(link);
        return;
    }
    if (error) {
        work.link_closed(link, clock_now());
        return;
    }
    work.link_received(link, {buffer.data(), octets}, clock_now());
    if (find(link) != nullptr) {
        wait_to_read(link);
    }
}

void relay_thread::state::send(link_id link) {
    kernel_link* const one = find(link);
    if (one != nullptr && one->open && !one->to_send && !one->waits_to_write) {
        one->to_send = true;
        sends.push_back(link);
    }
}

/// As much as the kernel takes. The engine's output may move while we wait, so it is asked for again each time.
void relay_thread::state::write(link_id link) {
    while (kernel_link* const one = find(link)) {
        one->to_send = false;
        const std::string_view output = work.link_output(link);
        if (output.empty()) {
            return;
        }
        error_code error;
        const std::size_t octets = one->socket.write_some(asio::buffer(output.data(), output.size()), error);
        if (error == asio::error::would_block || error == asio::error::interrupted) {
            one->waits_to_write = true;
            one->socket.async_wait(tcp::socket::wait_write, [this, link](error_code failed) {
                if (kernel_link* const ready = find(link); !failed && ready != nullptr) {
                    ready->waits_to_write = false;
                    write(link);
                }
            });
            return;
        }
        if (error) {
            // What the server said before it closed is still to be read; reading meets the end, too.
            one->waits_to_write = true;
            return;
        }
        work.link_sent(link, octets, clock_now());
    }
}

void relay_thread::state::write_all() {
    // Writing may make other links send: until none is left.
    for (std::size_t i = 0; i < sends.size(); ++i) {
        write(sends[i]);
    }
    sends.clear();
}

// The loop

void relay_thread::state::listen_to_bell() {
    wake_descriptor.async_wait(asio::posix::stream_descriptor::wait_read, [this](error_code failed) {
        if (failed) {
            return;
        }
        std::uint64_t count = 0;
        [[maybe_unused]] const auto ignored = ::read(bell.get(), &count, sizeof count);
        listen_to_bell();
    });
}

void relay_thread::state::wake_shards() {
    for (std::size_t i = 0; i < shards; ++i) {
        if (work.take_told(i) && wakers[i] != nullptr) {
            wakers[i]->wake();
        }
    }
}

void relay_thread::state::turn() {
    for (std::size_t i = 0; i < handlers_at_once && io.poll_one() > 0; ++i) {
    }
    const shard::instant now = clock_now();
    work.take_commands(now);
    if (work.poll_at() <= now) {
        work.tick(now);
    }
    write_all();
    wake_shards();
    work.tell_judge();
}

void relay_thread::state::sleep() {
    asleep.store(true, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (!work.commands_wait() && !stopping.load(std::memory_order_relaxed)) {
        if (const shard::instant at = work.poll_at(); at != shard::never) {
            timer.expires_at(std::chrono::steady_clock::time_point(
                std::chrono::duration_cast<std::chrono::steady_clock::duration>(at)));
            timer.async_wait([](error_code) {});
        }
        io.run_one();
        timer.cancel();
    }
    asleep.store(false, std::memory_order_relaxed);
}

void relay_thread::state::run() {
    listen_to_bell();
    while (!stopping.load(std::memory_order_acquire)) {
        turn();
        sleep();
    }
    const shard::instant stop_at{stop_by.load(std::memory_order_relaxed)};
    while (work.finish() && clock_now() < stop_at) {
        turn();
        timer.expires_after(std::chrono::milliseconds(5));
        timer.async_wait([](error_code) {});
        io.run_one();
    }
    work.cut_off(clock_now());
    wake_shards();
}

// The outside

relay_thread::relay_thread(unsigned number, const settings& settings, counters& counts, resolver& names,
                           std::vector<lane*> lanes, const std::vector<shard::waker*>& wakers)
    : _state(std::make_unique<state>(number, settings, counts, names, std::move(lanes), wakers)) {}

relay_thread::~relay_thread() {
    stop({});
    join();
}

thread_waker& relay_thread::waker() noexcept {
    return *_state;
}

tl::expected<void, std::string> relay_thread::start() {
    const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
        return tl::unexpected(process::errno_text("cannot make", "an eventfd for the relay", errno));
    }
    _state->bell = process::descriptor(fd);
    error_code error;
    _state->wake_descriptor.assign(::dup(fd), error);
    if (error) {
        return tl::unexpected("cannot watch the relay's eventfd: " + error.message());
    }
    try {
        _state->thread = std::thread([one = _state.get()] { one->run(); });
    } catch (const std::system_error& failed) {
        return tl::unexpected(std::string("cannot start a relay thread: ") + failed.what());
    }
    pthread_setname_np(_state->thread.native_handle(), ("relay/" + std::to_string(_state->number)).c_str());
    return {};
}

void relay_thread::stop(std::chrono::milliseconds grace) {
    if (!_state->stopping.load(std::memory_order_relaxed)) {
        _state->stop_by.store((clock_now() + grace).count(), std::memory_order_relaxed);
        _state->stopping.store(true, std::memory_order_release);
    }
    if (_state->bell) {
        _state->ring_bell();
    }
}

void relay_thread::join() {
    if (_state->thread.joinable()) {
        _state->thread.join();
    }
}

void relay_thread::lift_refusals(std::uint32_t route) {
    asio::post(_state->io, [one = _state.get(), route] { one->work.lift_refusals(route); });
}

}  // namespace postern::relay
