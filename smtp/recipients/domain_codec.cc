#include "smtp/recipients/domain_codec.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "smtp/recipients/address.h"
#include "smtp/recipients/builder.h"
#include "smtp/recipients/format.h"

namespace postern::recipients {
namespace {

constexpr std::uint8_t route_record = 1;
constexpr std::uint8_t domain_record = 2;
constexpr std::size_t max_host_octets = 255;
constexpr std::size_t max_hosts = 256;
constexpr std::size_t max_trusted = 65536;

constexpr unsigned confirmed_flag = 1;
constexpr unsigned catch_all_flag = 2;

constexpr unsigned grace_defers_flag = 1;
constexpr unsigned abuse_always_flag = 2;
constexpr unsigned strip_prvs_flag = 4;
constexpr unsigned accept_srs_flag = 8;
constexpr unsigned on_hold_flag = 16;

class field_writer {
public:
    void number(std::uint64_t value) {
        for (; value >= 0x80; value >>= 7U) {
            _octets.push_back(static_cast<char>(value | 0x80U));
        }
        _octets.push_back(static_cast<char>(value));
    }
    void string(std::string_view value) {
        number(value.size());
        _octets.append(value);
    }
    void octets(const std::uint8_t* at, std::size_t size) {
        for (std::size_t i = 0; i < size; ++i) {
            _octets.push_back(static_cast<char>(at[i]));
        }
    }
    std::string take() { return std::move(_octets); }

private:
    std::string _octets;
};

void append_record(std::string& to, std::uint8_t type, std::string_view fields) {
    field_writer size;
    size.number(fields.size());
    to.push_back(static_cast<char>(type));
    to += size.take();
    to += fields;
}

std::string fields_of(const route& value) {
    field_writer out;
    out.number(value.id);
    out.number((value.confirmed ? confirmed_flag : 0U) | (value.catch_all ? catch_all_flag : 0U));
    out.number(value.max_connections);
    out.number(value.hosts.size());
    for (const mail_host& host : value.hosts) {
        out.string(host.host);
        out.number(host.port);
        out.number(host.priority);
    }
    return out.take();
}

std::string fields_of(const domain_settings& value) {
    field_writer out;
    out.number(value.id);
    out.string(value.name);
    out.number(value.target);
    out.number(value.route);
    out.number(static_cast<std::uint8_t>(value.mode));
    out.number(static_cast<std::uint8_t>(value.subaddress_delimiter));
    out.number((value.grace_defers ? grace_defers_flag : 0U) | (value.abuse_always ? abuse_always_flag : 0U) |
               (value.strip_prvs ? strip_prvs_flag : 0U) | (value.accept_srs ? accept_srs_flag : 0U) |
               (value.on_hold ? on_hold_flag : 0U));
    out.number(value.trusted.size());
    for (const network& net : value.trusted) {
        out.octets(net.address.data(), net.address.size());
        out.number(net.length);
    }
    return out.take();
}

/// Reads fields off octets that may say anything. After the first failure every read gives 0 and `ok` stays false.
class field_reader {
public:
    explicit field_reader(std::span<const std::byte> octets) : _left(octets) {}

    bool ok() const noexcept { return _ok; }
    bool at_end() const noexcept { return _left.empty(); }
    std::size_t left() const noexcept { return _left.size(); }

    template <class T>
    T number(std::uint64_t most = std::numeric_limits<T>::max()) noexcept {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 63; shift += 7) {
            if (_left.empty()) {
                break;
            }
            const auto octet = std::to_integer<std::uint8_t>(_left.front());
            _left = _left.subspan(1);
            value |= static_cast<std::uint64_t>(octet & 0x7FU) << shift;
            if (octet < 0x80) {
                const bool needless = octet == 0 && shift != 0;
                if (needless || value > most) {
                    break;
                }
                return static_cast<T>(value);
            }
        }
        _ok = false;
        return T{};
    }
    std::span<const std::byte> octets(std::size_t size) noexcept {
        if (!_ok || size > _left.size()) {
            _ok = false;
            return {};
        }
        const auto taken = _left.first(size);
        _left = _left.subspan(size);
        return taken;
    }
    std::string string(std::size_t most) {
        const auto taken = octets(number<std::size_t>(most));
        return {reinterpret_cast<const char*>(taken.data()), taken.size()};
    }
    bool flag(unsigned& flags, unsigned which) noexcept {
        const bool set = (flags & which) != 0;
        flags &= ~which;
        return set;
    }
    void fail() noexcept { _ok = false; }

private:
    std::span<const std::byte> _left;
    bool _ok = true;
};

route read_route(field_reader& in) {
    route value;
    value.id = in.number<std::uint32_t>();
    auto flags = in.number<unsigned>();
    value.confirmed = in.flag(flags, confirmed_flag);
    value.catch_all = in.flag(flags, catch_all_flag);
    value.max_connections = in.number<std::uint16_t>();
    const auto hosts = in.number<std::size_t>(max_hosts);
    for (std::size_t i = 0; i < hosts && in.ok(); ++i) {
        mail_host host;
        host.host = in.string(max_host_octets);
        host.port = in.number<std::uint16_t>();
        host.priority = in.number<std::uint16_t>();
        value.hosts.push_back(std::move(host));
    }
    if (flags != 0) {
        in.fail();
    }
    return value;
}

domain_settings read_domain(field_reader& in) {
    domain_settings value;
    value.id = in.number<std::uint32_t>();
    value.name = in.string(normal_address::capacity);
    value.target = in.number<std::uint32_t>();
    value.route = in.number<std::uint32_t>();
    value.mode = static_cast<mode>(in.number<std::uint8_t>());
    value.subaddress_delimiter = static_cast<char>(in.number<std::uint8_t>());
    auto flags = in.number<unsigned>();
    value.grace_defers = in.flag(flags, grace_defers_flag);
    value.abuse_always = in.flag(flags, abuse_always_flag);
    value.strip_prvs = in.flag(flags, strip_prvs_flag);
    value.accept_srs = in.flag(flags, accept_srs_flag);
    value.on_hold = in.flag(flags, on_hold_flag);
    const auto networks = in.number<std::size_t>(max_trusted);
    for (std::size_t i = 0; i < networks && in.ok(); ++i) {
        network net;
        const auto address = in.octets(net.address.size());
        if (address.size() == net.address.size()) {
            std::memcpy(net.address.data(), address.data(), address.size());
        }
        net.length = in.number<std::uint8_t>();
        value.trusted.push_back(net);
    }
    if (flags != 0) {
        in.fail();
    }
    return value;
}

bool is_delimiter(char c) noexcept {
    // What an atom may hold beside letters and digits (RFC 5322 3.2.3).
    return c == '\0' || std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
}

bool has_host_bits(const network& net) noexcept {
    for (unsigned bit = net.length; bit < 128; ++bit) {
        if ((net.address[bit / 8U] & (0x80U >> (bit % 8U))) != 0) {
            return true;
        }
    }
    return false;
}

tl::expected<void, std::string> check_route(const route& value) {
    const std::string named = "route " + std::to_string(value.id);
    if (value.id == 0) {
        return tl::unexpected(std::string("a route has the id 0"));
    }
    if (value.hosts.size() > max_hosts) {
        return tl::unexpected(named + ": more than " + std::to_string(max_hosts) + " hosts");
    }
    for (const mail_host& host : value.hosts) {
        if (host.host.empty() || host.host.size() > max_host_octets) {
            return tl::unexpected(named + ": a host's name is empty or longer than 255 octets");
        }
        if (std::any_of(host.host.begin(), host.host.end(), [](char c) { return c <= ' ' || c == 0x7F; })) {
            return tl::unexpected(named + ": a host's name has characters that are not visible ASCII");
        }
        if (host.port == 0) {
            return tl::unexpected(named + ": host " + host.host + " has the port 0");
        }
    }
    return {};
}

tl::expected<void, std::string> check_domain(const domain_settings& value) {
    if (value.id == 0) {
        return tl::unexpected("domain '" + value.name + "' has the id 0");
    }
    normal_address normal;
    if (!parse_domain(value.name, normal) || normal.domain() != value.name) {
        return tl::unexpected("domain " + std::to_string(value.id) + ": its name is no domain in normal form");
    }
    const std::string named = "domain " + value.name;
    if (static_cast<std::uint8_t>(value.mode) > static_cast<std::uint8_t>(mode::enforce)) {
        return tl::unexpected(named + ": unknown mode " + std::to_string(static_cast<unsigned>(value.mode)));
    }
    if (!is_delimiter(value.subaddress_delimiter)) {
        return tl::unexpected(named + ": the subaddress delimiter can't stand in an unquoted local part");
    }
    if (value.trusted.size() > max_trusted) {
        return tl::unexpected(named + ": more than " + std::to_string(max_trusted) + " trusted networks");
    }
    for (const network& net : value.trusted) {
        if (net.length > 128 || has_host_bits(net)) {
            return tl::unexpected(named + ": a trusted network has host bits or a length over 128");
        }
    }
    return {};
}

}  // namespace

tl::expected<void, std::string> check_domains(const domain_section& section) {
    if (section.domains.size() > format::max_domains || section.routes.size() > format::max_routes) {
        return tl::unexpected("more than " + std::to_string(format::max_domains) + " domains or routes");
    }
    std::unordered_set<std::uint32_t> routes;
    for (const route& value : section.routes) {
        if (auto checked = check_route(value); !checked) {
            return checked;
        }
        if (!routes.insert(value.id).second) {
            return tl::unexpected("route " + std::to_string(value.id) + " stands there twice");
        }
    }
    std::unordered_map<std::uint32_t, const domain_settings*> by_id;
    std::unordered_set<std::string_view> names;
    for (const domain_settings& value : section.domains) {
        if (auto checked = check_domain(value); !checked) {
            return checked;
        }
        if (!by_id.emplace(value.id, &value).second) {
            return tl::unexpected("domain " + value.name + ": another domain has its id " + std::to_string(value.id));
        }
        if (!names.insert(value.name).second) {
            return tl::unexpected("domain " + value.name + " stands there twice");
        }
        if (value.route != 0 && !routes.contains(value.route)) {
            return tl::unexpected("domain " + value.name + ": there is no route " + std::to_string(value.route));
        }
    }
    for (const domain_settings& value : section.domains) {
        const auto target = by_id.find(value.target);
        if (target == by_id.end()) {
            return tl::unexpected("domain " + value.name + ": there is no domain " + std::to_string(value.target) +
                                  " for it to be an alias of");
        }
        if (target->second->target != target->first) {
            return tl::unexpected("domain " + value.name + " is an alias of " + target->second->name +
                                  ", which is an alias itself");
        }
    }
    return {};
}

std::string encode_domains(const domain_section& section) {
    std::string octets;
    for (const route& value : section.routes) {
        append_record(octets, route_record, fields_of(value));
    }
    for (const domain_settings& value : section.domains) {
        append_record(octets, domain_record, fields_of(value));
    }
    return octets;
}

tl::expected<domain_section, std::string> decode_domains(std::span<const std::byte> octets) {
    domain_section section;
    field_reader in(octets);
    while (!in.at_end()) {
        const std::size_t at = octets.size() - in.left();
        const auto type = in.number<std::uint8_t>(0x7F);
        const auto size = in.number<std::size_t>(std::numeric_limits<std::uint32_t>::max());
        field_reader fields(in.octets(size));
        if (in.ok() && type == route_record && section.domains.empty()) {
            section.routes.push_back(read_route(fields));
        } else if (in.ok() && type == domain_record) {
            section.domains.push_back(read_domain(fields));
        } else {
            fields.fail();
        }
        if (!in.ok() || !fields.ok() || !fields.at_end()) {
            return tl::unexpected("malformed record at octet " + std::to_string(at) + " of the section");
        }
    }
    if (auto checked = check_domains(section); !checked) {
        return tl::unexpected(checked.error());
    }
    return section;
}

}  // namespace postern::recipients
