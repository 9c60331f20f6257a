// The edge socket's commands about a network port of its own: what it is, its link, captures.
//
// On the edge socket's thread. `watch` is called every now and then: it sees the link come and go, and ends a capture
// whose time or room is over.
#pragma once

#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "dataplane/edge/answers.h"
#include "dataplane/edge/configuration.h"

namespace postern::port {
class capture;
}

namespace postern::edge {

struct packet_port;

class port_commands {
public:
    /// `settings` has a port and outlives the object, as does `state_folder`.
    port_commands(std::shared_ptr<packet_port> port, const configuration& settings, int state_folder);
    ~port_commands();
    port_commands(const port_commands&) = delete;
    port_commands& operator=(const port_commands&) = delete;

    port_report report() const;
    capture_report capture() const;
    /// Into a new file of the folder `captures` in the edge's own; the path. The error is for people.
    tl::expected<std::string, std::string> start_capture(const command& said);
    tl::expected<capture_report, std::string> stop_capture();

    /// True: the link came or went.
    bool watch();
    /// The port's counters, by name.
    void counters(const std::function<void(std::string_view, std::uint64_t)>& see) const;

private:
    void end_capture();

    std::shared_ptr<packet_port> _port;
    const configuration& _settings;
    int _state_folder;
    std::string _file;                        ///< path of the last capture
    std::unique_ptr<port::capture> _capture;  ///< the last one, which may have ended
    bool _captures = false;                   ///< the shards see it
};

}  // namespace postern::edge
