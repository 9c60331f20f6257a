#include "smtp/recipients/tool/domain_words.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "smtp/recipients/address.h"
#include "smtp/recipients/domain_codec.h"

namespace postern::recipients::tool {
namespace {

template <class T>
bool parse_number(std::string_view text, T& out) noexcept {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && end == text.data() + text.size();
}

/// HOST:PORT or [IPV6]:PORT.
std::optional<mail_host> parse_host(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    mail_host host;
    if (colon == std::string_view::npos || colon == 0 || !parse_number(text.substr(colon + 1), host.port)) {
        return std::nullopt;
    }
    std::string_view name = text.substr(0, colon);
    if (name.front() == '[' && name.back() == ']') {
        name = name.substr(1, name.size() - 2);
    }
    host.host = name;
    return host;
}

std::optional<network> parse_network(std::string_view text) {
    const std::size_t slash = text.find('/');
    const std::string address(text.substr(0, slash));
    network net;
    unsigned most = 128;
    if (in_addr v4{}; inet_pton(AF_INET, address.c_str(), &v4) == 1) {
        net.address[10] = net.address[11] = 0xFF;
        std::memcpy(net.address.data() + 12, &v4, 4);
        most = 32;
    } else if (inet_pton(AF_INET6, address.c_str(), net.address.data()) != 1) {
        return std::nullopt;
    }
    unsigned length = most;
    if (slash != std::string_view::npos && (!parse_number(text.substr(slash + 1), length) || length > most)) {
        return std::nullopt;
    }
    net.length = static_cast<std::uint8_t>(length + 128 - most);
    return net;
}

struct parsed_domain {
    domain_settings settings;
    std::vector<mail_host> hosts;
    std::string alias_of;
};

tl::expected<std::string, std::string> normal_name(std::string_view name) {
    normal_address normal;
    if (const auto parsed = parse_domain(name, normal); !parsed) {
        return tl::unexpected("domain '" + std::string(name) + "': " + std::string(to_string(parsed.error())));
    }
    return std::string(normal.domain());
}

/// False if the word is no setting.
bool take_setting(std::string_view word, parsed_domain& to) {
    domain_settings& settings = to.settings;
    if (parse_mode(word, settings.mode)) {
        return true;
    }
    constexpr std::string_view alias = "alias:";
    constexpr std::string_view delimiter = "delimiter:";
    constexpr std::string_view trust = "trust:";
    if (word.starts_with(alias)) {
        to.alias_of = word.substr(alias.size());
    } else if (word.starts_with(delimiter) && word.size() == delimiter.size() + 1) {
        settings.subaddress_delimiter = word.back();
    } else if (word.starts_with(trust)) {
        const auto net = parse_network(word.substr(trust.size()));
        if (!net) {
            return false;
        }
        settings.trusted.push_back(*net);
    } else if (word == "no-subaddress") {
        settings.subaddress_delimiter = '\0';
    } else if (word == "grace-defers") {
        settings.grace_defers = true;
    } else if (word == "no-abuse") {
        settings.abuse_always = false;
    } else if (word == "prvs") {
        settings.strip_prvs = true;
    } else if (word == "srs") {
        settings.accept_srs = true;
    } else if (word == "hold") {
        settings.on_hold = true;
    } else if (auto host = parse_host(word)) {
        host->priority = static_cast<std::uint16_t>(10 * (to.hosts.size() + 1));
        to.hosts.push_back(*std::move(host));
    } else {
        return false;
    }
    return true;
}

tl::expected<parsed_domain, std::string> parse_word(const std::string& word, mode otherwise) {
    parsed_domain made;
    const std::size_t equals = word.find('=');
    auto name = normal_name(std::string_view(word).substr(0, equals));
    if (!name) {
        return tl::unexpected(name.error());
    }
    made.settings.name = *std::move(name);
    made.settings.mode = otherwise;
    std::string_view rest =
        equals == std::string::npos ? std::string_view{} : std::string_view(word).substr(equals + 1);
    while (!rest.empty()) {
        const std::string_view setting = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(rest.size(), setting.size() + 1));
        if (!take_setting(setting, made)) {
            return tl::unexpected("domain " + made.settings.name + ": '" + std::string(setting) +
                                  "' is no setting (see postern-table(1), SERVED DOMAINS)");
        }
    }
    return made;
}

}  // namespace

tl::expected<domain_section, std::string> parse_domain_words(std::span<const std::string> words, mode otherwise) {
    domain_section section;
    std::vector<std::string> targets;
    for (const std::string& word : words) {
        auto parsed = parse_word(word, otherwise);
        if (!parsed) {
            return tl::unexpected(parsed.error());
        }
        domain_settings& domain = parsed->settings;
        domain.id = domain.target = static_cast<std::uint32_t>(section.domains.size() + 1);
        if (!parsed->hosts.empty()) {
            domain.route = domain.id;
            route to;
            to.id = domain.id;
            to.confirmed = true;
            to.hosts = std::move(parsed->hosts);
            section.routes.push_back(std::move(to));
        }
        section.domains.push_back(std::move(domain));
        targets.push_back(std::move(parsed->alias_of));
    }
    for (std::size_t i = 0; i < targets.size(); ++i) {
        if (targets[i].empty()) {
            continue;
        }
        const auto name = normal_name(targets[i]);
        if (!name) {
            return tl::unexpected(name.error());
        }
        const auto target = std::find_if(section.domains.begin(), section.domains.end(),
                                         [&](const domain_settings& domain) { return domain.name == *name; });
        if (target == section.domains.end()) {
            return tl::unexpected("domain " + section.domains[i].name + ": it is to be an alias of " + *name +
                                  ", which is no --domain");
        }
        section.domains[i].target = target->id;
    }
    if (auto checked = check_domains(section); !checked) {
        return tl::unexpected(checked.error());
    }
    return section;
}

served_domain find_domain(const domain_section& section, std::string_view name) noexcept {
    for (const domain_settings& domain : section.domains) {
        if (domain.name == name) {
            const domain_settings& target = section.domains[domain.target - 1];
            return {target.id, target.name};
        }
    }
    return {};
}

}  // namespace postern::recipients::tool
