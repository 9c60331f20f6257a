// What the generator keeps of each of its connections: half a cache line, found by arithmetic from the client's address
// and port (client_names.h), so that a million cost 32 MB and no lookup.
#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <system_error>

#include "perf/rig/client_names.h"

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
    using name = client_names::name;

    /// Room for `count` connections at a time, from so many source addresses. Throws std::system_error.
    client_table(std::uint32_t count, std::uint32_t sources) : _count(count), _names(count, sources) {
        void* const at = ::mmap(nullptr, octets(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED) {
            throw std::system_error(errno, std::generic_category(), "cannot map the clients' memory");
        }
        ::madvise(at, octets(), MADV_HUGEPAGE);
        _clients = static_cast<client*>(at);
        for (std::uint32_t i = 0; i < count; ++i) {
            _clients[i] = client{};  // all of it is there before anything is measured
        }
    }
    client_table(const client_table&) = delete;
    client_table& operator=(const client_table&) = delete;
    ~client_table() { ::munmap(_clients, octets()); }

    client& operator[](std::uint32_t place) noexcept { return _clients[place]; }
    std::uint32_t size() const noexcept { return _count; }

    /// The ends that a place's present connection uses.
    name name_of(std::uint32_t place) const noexcept { return _names.name_of(place, _clients[place].generation); }
    /// The place of these ends; what is not ours may give any.
    std::uint32_t place_of(name n) const noexcept { return _names.place_of(n); }

private:
    std::size_t octets() const noexcept { return std::size_t{_count} * sizeof(client); }

    std::uint32_t _count;
    client_names _names;
    client* _clients = nullptr;
};

}  // namespace postern::perf::rig
