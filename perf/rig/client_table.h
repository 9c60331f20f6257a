// What the generator keeps of each of its connections: half a cache line, found by arithmetic from the client's address
// and port, so that a million cost 32 MB and no lookup.
#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <system_error>

namespace postern::perf::rig {

enum class phase : std::uint8_t {
    closed,
    syn_sent,
    greeting,  ///< waits for 220
    hello,     ///< waits for EHLO's 250
    idle,      ///< greeted, no transaction
    mail,      ///< waits for MAIL's 250
    ready,     ///< may send a RCPT
    rcpt,      ///< waits for replies to RCPTs
    quit,      ///< waits for 221
    closing,   ///< waits for the ACK of its FIN
};

struct client {
    std::uint32_t snd_nxt = 0;
    std::uint32_t rcv_nxt = 0;
    std::uint32_t ts_recent = 0;
    std::uint32_t generation = 0;  ///< connections that this place had before
    std::uint64_t listed = 0;      ///< of the RCPTs that wait for a reply, oldest lowest: those on the list
    std::uint32_t code = 0;        ///< the first octets of a reply line that a segment's end cut
    rig::phase phase = rig::phase::closed;
    std::uint8_t line_at = 0;  ///< octets of it
    std::uint8_t owed = 0;     ///< replies
    std::uint8_t unacked = 0;  ///< segments with octets that came since it last sent one
};
static_assert(sizeof(client) == 32);

class client_table {
public:
    static constexpr std::uint16_t first_port = 1024;
    static constexpr std::uint32_t ports = 64'000;

    /// Room for `count` connections at a time, from a power of two of source addresses. Throws std::system_error.
    client_table(std::uint32_t count, std::uint32_t sources)
        : _count(count), _mask(sources - 1), _shift(static_cast<unsigned>(__builtin_ctz(sources))) {
        void* const at = ::mmap(nullptr, octets(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED) {
            throw std::system_error(errno, std::generic_category(), "cannot map the clients' memory");
        }
        ::madvise(at, octets(), MADV_HUGEPAGE);
        _clients = static_cast<client*>(at);
        for (std::uint32_t i = 0; i < count; ++i) {
            _clients[i] = client{};  // all of it is there before anything is measured
        }
        _turns = static_cast<std::uint32_t>(std::uint64_t{sources} * ports / count);
    }
    client_table(const client_table&) = delete;
    client_table& operator=(const client_table&) = delete;
    ~client_table() { ::munmap(_clients, octets()); }

    client& operator[](std::uint32_t place) noexcept { return _clients[place]; }
    std::uint32_t size() const noexcept { return _count; }

    /// The ends that a place's present connection uses: its source's number and its port.
    struct name {
        std::uint32_t source = 0;
        std::uint16_t port = 0;
    };
    name name_of(std::uint32_t place) const noexcept {
        const std::uint64_t tuple = place + std::uint64_t{_clients[place].generation % _turns} * _count;
        return {static_cast<std::uint32_t>(tuple) & _mask, static_cast<std::uint16_t>(first_port + (tuple >> _shift))};
    }
    /// The place of these ends; what is not ours may give any.
    std::uint32_t place_of(name n) const noexcept {
        const std::uint64_t tuple = std::uint64_t{static_cast<std::uint16_t>(n.port - first_port)} << _shift | n.source;
        return static_cast<std::uint32_t>(tuple % _count);
    }

private:
    std::size_t octets() const noexcept { return std::size_t{_count} * sizeof(client); }

    std::uint32_t _count;
    std::uint32_t _mask;
    unsigned _shift;
    std::uint32_t _turns;  ///< connections of one place before its ends repeat
    client* _clients = nullptr;
};

}  // namespace postern::perf::rig
