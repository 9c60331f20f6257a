// How the connections of one thread reach the server: over the kernel's sockets (perf/sockets.h), or over a network
// port of the load's own (perf/packets/packets.h). All of it is called on that thread.
//
// A connection is named by its slot, below the number that the transport was made for. `open` begins one, `wait` tells
// the listener what came of it, `close` ends it; a slot may be opened again when it was lost, or when its close is
// over.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "board/process/files.h"

namespace postern::perf {

/// CLOCK_MONOTONIC in ns: the clock of the swap windows too.
std::uint64_t monotonic_ns() noexcept;

/// What a transport with a TCP of its own did on its own account; the kernel's keeps this to itself.
struct wire_counts {
    std::uint64_t resent_syns = 0;      ///< not answered in time
    std::uint64_t resent_segments = 0;  ///< not acknowledged in time, or after duplicate ACKs
    std::uint64_t bad_segments = 0;     ///< that came with a wrong header or checksum
    std::uint64_t strays = 0;           ///< segments of no connection; answered by RST
    std::uint64_t lost_frames = 0;      ///< that the port dropped or did not take

    wire_counts& operator+=(const wire_counts& more) noexcept {
        resent_syns += more.resent_syns;
        resent_segments += more.resent_segments;
        bad_segments += more.bad_segments;
        strays += more.strays;
        lost_frames += more.lost_frames;
        return *this;
    }
};

class transport {
public:
    /// Whom `wait` tells. It may send and close from within.
    class listener {
    public:
        /// The connection is made.
        virtual void connected(std::uint32_t slot) = 0;
        /// It could not be made. The slot is free.
        virtual void refused(std::uint32_t slot, const std::string& why) = 0;
        /// Octets of the server.
        virtual void received(std::uint32_t slot, std::string_view octets) = 0;
        /// The server closed or broke it: it is to be closed.
        virtual void lost(std::uint32_t slot, const std::string& why) = 0;
        /// A close that was still going on is over. The slot is free.
        virtual void gone(std::uint32_t slot) = 0;

    protected:
        ~listener() = default;
    };

    virtual ~transport() = default;

    /// Begins a connection, the `number`th of all threads'. An error: it could not be begun, and the slot is free.
    virtual process::result<void> open(std::uint32_t slot, std::uint64_t number) = 0;
    /// Sends octets, or keeps them until they can be sent.
    virtual void send(std::uint32_t slot, std::string_view octets) = 0;
    /// Ends the connection. True: the slot is free; false: when `gone` is told.
    virtual bool close(std::uint32_t slot) = 0;
    /// Waits for something to tell, at most so long. An error: nothing can come any more.
    virtual process::result<void> wait(std::uint64_t most_ns, listener& tell) = 0;
    /// What it did on its own account, so far.
    virtual wire_counts counts() const { return {}; }
};

/// Makes the transport of a thread, on that thread, for so many connections at a time.
using transport_maker = std::function<process::result<std::unique_ptr<transport>>(std::size_t slots)>;

}  // namespace postern::perf
