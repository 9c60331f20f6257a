#include "dataplane/shard/endpoint_text.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>

namespace postern::shard {

std::optional<ip_address> parse_address(const std::string& text) {
    ip_address four = ipv4(0, 0, 0, 0);
    if (::inet_pton(AF_INET, text.c_str(), four.data() + ipv4_at) == 1) {
        return four;
    }
    ip_address six;
    if (::inet_pton(AF_INET6, text.c_str(), six.data()) == 1 && !is_ipv4(six)) {
        return six;
    }
    return std::nullopt;
}

process::result<endpoint> parse_endpoint(std::string_view text) {
    const auto refuse = [&] {
        return tl::unexpected("\"" + std::string(text) +
                              "\" is not an address and port: write 192.0.2.1:25, 0.0.0.0:25 or [2001:db8::1]:25");
    };
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return refuse();
    }
    endpoint e;
    const std::string_view port = text.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), e.port);
    if (error != std::errc() || end != port.data() + port.size()) {
        return refuse();
    }
    std::string_view address = text.substr(0, colon);
    const bool bracketed = address.size() > 2 && address.front() == '[' && address.back() == ']';
    if (bracketed) {
        address = address.substr(1, address.size() - 2);
    }
    const auto parsed = parse_address(std::string(address));
    if (!parsed) {
        return refuse();
    }
    e.address = *parsed;
    if (is_ipv4(e) == bracketed) {
        return refuse();
    }
    return e;
}

std::string address_text(const endpoint& e) {
    char text[INET6_ADDRSTRLEN] = "";
    if (is_ipv4(e)) {
        ::inet_ntop(AF_INET, e.address.data() + ipv4_at, text, sizeof text);
    } else {
        ::inet_ntop(AF_INET6, e.address.data(), text, sizeof text);
    }
    return text;
}

std::string endpoint_text(const endpoint& e) {
    const std::string port = std::to_string(e.port);
    return is_ipv4(e) ? address_text(e) + ":" + port : "[" + address_text(e) + "]:" + port;
}

}  // namespace postern::shard
