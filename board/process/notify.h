// Tells the service manager how the program is doing (sd_notify(3)'s protocol, without its library).
#pragma once

#include <string_view>

namespace postern::process {

/// Sends `state` ("READY=1", "STOPPING=1", "STATUS=…") to the socket that NOTIFY_SOCKET names; without one, nothing is
/// done. False: there is a socket and it did not take the datagram.
bool notify_service_manager(std::string_view state) noexcept;

}  // namespace postern::process
