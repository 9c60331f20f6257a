// Which address and port each client connects from, by arithmetic: so many places for connections are spread over all
// ports of some source addresses, and a place that is used again has other ends each time for as long as there are
// others.
#pragma once

#include <algorithm>
#include <cstdint>

namespace postern::perf::rig {

class client_names {
public:
    static constexpr std::uint32_t first_port = 1024;
    static constexpr std::uint32_t ports = 64'512;

    /// The ends that a connection uses: its source's number and its port.
    struct name {
        std::uint32_t source = 0;
        std::uint16_t port = 0;
        friend constexpr bool operator==(const name&, const name&) = default;
    };

    /// Whether so many connections at a time have ends of their own.
    static constexpr bool fit(std::uint64_t places, std::uint64_t sources) noexcept {
        return places != 0 && sources <= UINT32_MAX && places <= sources * ports;
    }
    /// Precondition: they fit.
    constexpr client_names(std::uint32_t places, std::uint32_t sources) noexcept
        : _places(places),
          _sources(sources),
          _turns(static_cast<std::uint32_t>(std::min<std::uint64_t>(std::uint64_t{sources} * ports, UINT32_MAX) /
                                            places)) {}

    /// Of a place's connection, the `generation`th that it has.
    constexpr name name_of(std::uint32_t place, std::uint32_t generation) const noexcept {
        const std::uint32_t tuple = place + generation % _turns * _places;
        return {tuple % _sources, static_cast<std::uint16_t>(first_port + tuple / _sources)};
    }
    /// The place of these ends; what is not ours may give any.
    constexpr std::uint32_t place_of(name n) const noexcept {
        const std::uint32_t port = static_cast<std::uint16_t>(n.port - first_port);
        return static_cast<std::uint32_t>((std::uint64_t{port} * _sources + n.source) % _places);
    }

private:
    std::uint32_t _places;
    std::uint32_t _sources;
    std::uint32_t _turns;  ///< connections of one place before its ends repeat
};

}  // namespace postern::perf::rig
