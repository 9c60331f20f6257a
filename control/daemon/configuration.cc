#include "control/daemon/configuration.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "board/process/files.h"
#include "board/process/settings.h"
#include "smtp/recipients/address.h"

namespace postern::daemon {
namespace {

using process::settings_section;

constexpr std::size_t longest_file = 1U << 20U;
constexpr std::size_t longest_socket_path = 107;

std::string host_name() {
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') {
        return "localhost";
    }
    return name.data();
}

bool is_host_name(const std::string& name) {
    recipients::normal_address parsed;
    return recipients::parse_domain(name, parsed).has_value() && !parsed.is_literal();
}

std::string absolute(const std::string& path, const std::string& folder) {
    return path.empty() || path.front() == '/' ? path
                                               : (std::filesystem::path(folder) / path).lexically_normal().string();
}

void read_path(settings_section& section, std::string_view key, std::string& out, const std::string& folder) {
    section.text(key, out);
    if (out.empty()) {
        section.error(key, "it must not be empty; write a path");
    }
    out = absolute(out, folder);
}

void read_control(settings_section section, configuration& out, const std::string& folder) {
    section.text("user", out.user);
    section.text("group", out.group);
    read_path(section, "state", out.state, folder);
    out.publish.tables = "/var/lib/postern/tables";
    read_path(section, "tables", out.publish.tables, folder);
    std::vector<std::string> sockets{"/run/postern/edge.sock"};
    section.texts("edges", sockets);
    for (const std::string& each : sockets) {
        const std::string socket = absolute(each, folder);
        if (each.empty() || socket.size() > longest_socket_path) {
            section.error("edges", "\"" + each +
                                       "\" is not the path of a socket (1 to 107 octets); write the socket "
                                       "that the edge's edge.toml names");
            continue;
        }
        // The name for people: the socket's file name without its end, made unique.
        std::string name = std::filesystem::path(socket).stem().string();
        const auto taken = [&](const std::string& wanted) {
            return std::any_of(out.publish.edges.begin(), out.publish.edges.end(),
                               [&](const publish::edge_address& other) { return other.name == wanted; });
        };
        const std::string plain = name;
        for (int number = 2; taken(name); ++number) {
            name = plain + "-" + std::to_string(number);
        }
        const bool twice = std::any_of(out.publish.edges.begin(), out.publish.edges.end(),
                                       [&](const publish::edge_address& other) { return other.socket == socket; });
        if (twice) {
            section.error("edges", "\"" + each + "\" is there twice; remove one");
            continue;
        }
        out.publish.edges.push_back({name, socket});
    }
}

void read_api(settings_section section, configuration& out, const std::string& folder) {
    section.text("address", out.api.address);
    section.number<std::uint16_t>("port", out.api.port, 0, 65535);
    section.text("certificate", out.api.certificate);
    section.text("key", out.api.key);
    out.api.certificate = absolute(out.api.certificate, folder);
    out.api.key = absolute(out.api.key, folder);
    section.number<std::size_t>("max_connections", out.api.max_connections, 1, 10'000);
    std::uint64_t upload_mib = out.api.upload_limit >> 20U;
    section.number<std::uint64_t>("upload_mib", upload_mib, 1, 65'536);
    out.api.upload_limit = upload_mib << 20U;
    if (!api::is_address(out.api.address)) {
        section.error("address", "it is not an IP address; write an address of this machine, such as 127.0.0.1");
    } else if (!api::is_loopback_address(out.api.address) && out.api.certificate.empty()) {
        section.error("address",
                      "it is not a loopback address, so the API needs TLS there; set certificate and key, "
                      "or address = \"127.0.0.1\"");
    }
    if (out.api.certificate.empty() != out.api.key.empty()) {
        section.error(out.api.key.empty() ? "certificate" : "key", "certificate and key go together; set both or none");
    }
}

void read_publish(settings_section section, publish::publisher_options& out) {
    section.number<std::size_t>("overlay_limit", out.overlay_limit, 100, 1'000'000);
    auto coalesce = static_cast<int>(out.coalesce.count());
    section.number("coalesce_ms", coalesce, 0, 20);
    out.coalesce = std::chrono::milliseconds(coalesce);
}

void read_probe(settings_section section, probe::prober_options& out) {
    section.text("helo", out.helo);
    if (out.helo.empty()) {
        out.helo = host_name();
    } else if (!is_host_name(out.helo)) {
        section.error("helo", "it is not a host name; write the name that mail servers know this machine by");
    }
    section.texts("own_names", out.own_names);
    for (const std::string& each : out.own_names) {
        if (!is_host_name(each)) {
            section.error("own_names", "\"" + each + "\" is not a host name; write the names of your edges");
        }
    }
    if (out.own_names.empty()) {
        out.own_names.push_back(host_name());
    }
    std::vector<std::string> listeners{"0.0.0.0:25", "[::]:25"};
    section.texts("own_listeners", listeners);
    for (const std::string& each : listeners) {
        auto parsed = probe::parse_listener(each);
        if (parsed) {
            out.own_listeners.push_back(std::move(*parsed));
        } else {
            section.error("own_listeners", parsed.error());
        }
    }
}

void read_sync(settings_section section, sync::service_options& out) {
    section.number("at_once", out.at_once, 1U, 64U);
    section.number<std::uint32_t>("kept_runs", out.kept_runs, 1, 10'000);
    section.number<std::uint64_t>("max_items", out.max_items, 0, 100'000'000);
    section.number<std::uint64_t>("max_addresses", out.max_addresses, 1, 100'000'000);
}

void read_mail(settings_section section, sync::mail_settings& out) {
    section.text("host", out.host);
    section.number<std::uint16_t>("port", out.port, 1, 65535);
    section.text("from", out.from);
    section.text("helo", out.helo);
    if (!out.host.empty() && !is_host_name(out.host) && !process::parse_address(out.host)) {
        section.error("host",
                      "it is neither a host name nor an address; write the mail server that takes mail from us");
    }
    if (out.helo.empty()) {
        out.helo = host_name();
    } else if (!is_host_name(out.helo)) {
        section.error("helo", "it is not a host name; write the name of this machine");
    }
    if (out.from.empty()) {
        out.from = "postern@" + out.helo;
        return;
    }
    recipients::normal_address parsed;
    recipients::address_options options;
    options.allow_utf8 = false;
    options.allow_bare_postmaster = false;
    if (!recipients::parse_address(out.from, options, parsed)) {
        section.error("from", "it is not an e-mail address; write it as \"postern@example.com\"");
    }
}

void read_dns(settings_section section, configuration& out) {
    section.texts("servers", out.resolver.servers);
    for (const std::string& each : out.resolver.servers) {
        if (!dns::is_server(each)) {
            section.error("servers", "\"" + each + "\" is not a server such as \"192.0.2.53\" or \"[::1]:5353\"");
        }
    }
    std::vector<std::string> here;
    section.texts("here", here);
    for (const std::string& each : here.empty() ? out.probe.own_names : here) {
        if (api::is_address(each)) {
            out.own.addresses.push_back(each);
        } else if (is_host_name(each)) {
            out.own.names.push_back(each);
        } else {
            section.error("here", "\"" + each + "\" is neither a host name nor an address");
        }
    }
    for (std::string& each : out.own.names) {
        std::transform(each.begin(), each.end(), each.begin(),
                       [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    }
}

void read_billing(settings_section section, directory::billed_kinds& out) {
    std::vector<std::string> kinds{"user"};
    section.texts("kinds", kinds);
    out.counts.fill(false);
    for (const std::string& each : kinds) {
        const auto kind = directory::parse_kind(each);
        if (!kind || *kind == recipients::mailbox_kind::alias) {
            section.error("kinds", "\"" + each + "\" is not user, shared, resource, list or unclassified");
            continue;
        }
        out.counts.at(static_cast<std::size_t>(*kind)) = true;
    }
}

void read_imports(settings_section section, sync::guard_limits& out) {
    section.number<std::uint64_t>("removed_count", out.removed_count, 0, 1'000'000'000);
    section.number<std::uint32_t>("removed_percent", out.removed_percent, 0, 100);
    section.number<std::uint64_t>("floor", out.floor, 0, 1'000'000);
}

/// Whether this process (or `user`, if it may become another) can make and change files in `folder`.
void check_folder(const std::string& folder, const char* what, std::vector<std::string>& out) {
    struct stat status {};
    if (::stat(folder.c_str(), &status) != 0) {
        const std::filesystem::path parent = std::filesystem::path(folder).parent_path();
        if (errno == ENOENT && ::access(parent.c_str(), W_OK | X_OK) == 0) {
            return;  // it will be made
        }
        out.push_back(process::errno_text("use the " + std::string(what) + " folder", folder, errno) +
                      "; make it and give it to the user that postern-control runs as");
    } else if (!S_ISDIR(status.st_mode)) {
        out.push_back("the " + std::string(what) + " folder " + folder + " is not a folder; name another one");
    } else if (::access(folder.c_str(), R_OK | W_OK | X_OK) != 0) {
        out.push_back(process::errno_text("write in the " + std::string(what) + " folder", folder, errno) +
                      "; give it to the user that postern-control runs as");
    }
}

}  // namespace

tl::expected<configuration, std::vector<std::string>> parse_configuration(std::string_view text,
                                                                          const std::string& file,
                                                                          const std::string& folder) {
    configuration out;
    out.api.upload_limit = 1ULL << 30U;
    process::settings_file settings(text, file);
    if (settings.parsed()) {
        settings_section root = settings.root();
        read_control(root.table("control"), out, folder);
        read_api(root.table("api"), out, folder);
        read_publish(root.table("publish"), out.publish);
        read_probe(root.table("probe"), out.probe);
        read_dns(root.table("dns"), out);
        read_billing(root.table("billing"), out.billed);
        read_imports(root.table("imports"), out.imports);
        root.table("recent").number<std::uint64_t>("recipients", out.recent_recipients.limit, 0, 100'000'000);
        read_sync(root.table("sync"), out.syncs);
        read_mail(root.table("mail"), out.syncs.mail);
        process::read_egress(root.table("egress"), out.egress);
        constexpr std::array levels{process::level::debug, process::level::info, process::level::warn,
                                    process::level::error};
        std::size_t level = 1;
        root.table("log").choice("level", level, {"debug", "info", "warn", "error"});
        out.log_level = levels.at(level);
        out.api.upload_folder = out.uploads();
        out.syncs.folder = out.state + "/syncs";
        out.syncs.key_file = out.state + "/secrets.key";
    }
    std::vector<std::string> errors = settings.finish();
    if (!errors.empty()) {
        return tl::unexpected(std::move(errors));
    }
    return out;
}

tl::expected<configuration, std::vector<std::string>> read_configuration(const std::string& path) {
    const auto text = process::read_file(path, longest_file);
    if (!text) {
        return tl::unexpected(std::vector<std::string>{
            text.error() + "; write the configuration there, or name another file with --config"});
    }
    std::error_code error;
    const std::filesystem::path whole = std::filesystem::absolute(path, error);
    if (error) {
        return tl::unexpected(std::vector<std::string>{"cannot find the folder of " + path + ": " + error.message()});
    }
    return parse_configuration(*text, path, whole.parent_path().string());
}

std::vector<std::string> check_environment(const configuration& settings) {
    std::vector<std::string> out;
    check_folder(settings.state, "state", out);
    check_folder(settings.publish.tables, "tables", out);
    if (::geteuid() == 0 && !settings.user.empty() && ::getpwnam(settings.user.c_str()) == nullptr) {  // NOLINT
        out.push_back("there is no user \"" + settings.user + "\"; make it, or set user = \"\"");
    }
    if (!settings.group.empty() && ::getgrnam(settings.group.c_str()) == nullptr) {  // NOLINT
        out.push_back("there is no group \"" + settings.group + "\"; make it, or set group = \"\"");
    }
    if (const auto good = api::check_tls(settings.api); !good) {
        out.push_back(good.error());
    }
    return out;
}

}  // namespace postern::daemon
