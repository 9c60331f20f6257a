#include "dataplane/edge/command.h"

#include <unistr.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <utility>

#include "dataplane/shard/endpoint_text.h"

namespace postern::edge {
namespace {

using parsed = tl::expected<command, std::string>;
using words = std::span<const std::string_view>;

/// No command has more words; further ones are counted only.
constexpr std::size_t most_words = 6;
constexpr unsigned least_prefix = 8;
constexpr std::uint32_t most_capture_seconds = 3600;
constexpr std::uint32_t most_capture_mib = 1024;

struct rule {
    std::string_view first;
    std::string_view second;  ///< empty: the command is one word
    verb what;
    std::size_t least_arguments;
    std::size_t most_arguments;
    std::string_view form;  ///< for messages and `help`
};

constexpr std::array<rule, 20> rules{{
    {"table", "prepare", verb::table_prepare, 1, 2, "table prepare BASE|- [OVERLAY]"},
    {"table", "diff", verb::table_diff, 0, 0, "table diff"},
    {"table", "commit", verb::table_commit, 0, 1, "table commit [GENERATION]"},
    {"table", "rollback", verb::table_rollback, 0, 1, "table rollback [N]"},
    {"table", "discard", verb::table_discard, 0, 0, "table discard"},
    {"show", "table", verb::show_table, 0, 0, "show table"},
    {"show", "counters", verb::show_counters, 0, 0, "show counters"},
    {"show", "sessions", verb::show_sessions, 0, 0, "show sessions"},
    {"show", "listeners", verb::show_listeners, 0, 0, "show listeners"},
    {"show", "version", verb::show_version, 0, 0, "show version"},
    {"show", "port", verb::show_port, 0, 0, "show port"},
    {"show", "capture", verb::show_capture, 0, 0, "show capture"},
    {"capture", "start", verb::capture_start, 2, 4, "capture start FILE ADDRESS[/PREFIX] [SECONDS [MIB]]"},
    {"capture", "stop", verb::capture_stop, 0, 0, "capture stop"},
    {"explain", "", verb::explain, 1, 1, "explain ADDRESS"},
    {"events", "ack", verb::events_acknowledge, 1, 1, "events ack NUMBER"},
    {"events", "", verb::events, 1, 2, "events SINCE [MAX]"},
    {"drain", "", verb::drain, 0, 0, "drain"},
    {"help", "", verb::help, 0, 0, "help"},
    {"quit", "", verb::quit, 0, 0, "quit"},
}};

constexpr bool is_space(char c) noexcept {
    return c == ' ' || c == '\t';
}

std::string in_quotes(std::string_view text) {
    constexpr std::size_t longest = 64;
    std::string out = "\"";
    if (text.size() <= longest) {
        out += text;
    } else {
        // Cut between characters, so that the message stays UTF-8.
        std::size_t size = longest;
        while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) {
            --size;
        }
        out += text.substr(0, size);
        out += "…";
    }
    out += '"';
    return out;
}

tl::unexpected<std::string> usage(const rule& of, const std::string& what) {
    return tl::unexpected(what + "; write: " + std::string(of.form));
}

tl::expected<std::uint64_t, std::string> parse_number(const rule& of, std::string_view text, std::uint64_t least = 1) {
    std::uint64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || stop != end || value < least) {
        return usage(of, in_quotes(text) + " is not a whole number" + (least == 0 ? "" : " above 0"));
    }
    return value;
}

parsed events_command(const rule& of, words arguments, command made) {
    const auto since = parse_number(of, arguments[0], 0);
    if (!since) {
        return tl::unexpected(since.error());
    }
    made.since = *since;
    if (arguments.size() > 1) {
        const auto most = parse_number(of, arguments[1]);
        if (!most) {
            return tl::unexpected(most.error());
        }
        made.most = *most;
    }
    return made;
}

/// "192.0.2.9", "2001:db8::/64".
bool parse_network(std::string_view text, command& out) {
    const std::size_t slash = text.find('/');
    const auto ip = shard::parse_address(std::string(text.substr(0, slash)));
    if (!ip) {
        return false;
    }
    const unsigned most = net::is_ipv4(*ip) ? 32 : 128;
    unsigned prefix = most;
    if (slash != std::string_view::npos) {
        const char* const end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data() + slash + 1, end, prefix);
        if (error != std::errc() || stop != end) {
            return false;
        }
    }
    out.network = *ip;
    out.prefix = static_cast<std::uint8_t>(std::min(prefix, 255U));
    return prefix <= most;
}

parsed capture_command(const rule& of, words arguments, command made) {
    if (!is_file_name(arguments[0])) {
        return usage(
            of, in_quotes(arguments[0]) + " is not the name of a file (letters, digits, '.', '_', '-'; never a path)");
    }
    made.file = arguments[0];
    if (!parse_network(arguments[1], made)) {
        return usage(of, in_quotes(arguments[1]) + " is not an address or network");
    }
    if (made.prefix < least_prefix) {
        return usage(of, "a network of more than a /" + std::to_string(least_prefix) + " is no filter");
    }
    constexpr std::array<std::pair<std::uint32_t command::*, std::uint32_t>, 2> bounds{
        {{&command::seconds, most_capture_seconds}, {&command::mib, most_capture_mib}}};
    for (std::size_t i = 2; i < arguments.size(); ++i) {
        const auto number = parse_number(of, arguments[i]);
        if (!number) {
            return tl::unexpected(number.error());
        }
        const auto [member, most] = bounds[i - 2];
        if (*number > most) {
            return usage(of, in_quotes(arguments[i]) + " is more than " + std::to_string(most));
        }
        made.*member = static_cast<std::uint32_t>(*number);
    }
    return made;
}

parsed with_arguments(const rule& of, words arguments, command made) {
    switch (of.what) {
        case verb::table_prepare:
            for (const std::string_view name : arguments) {
                const bool stays = name == "-" && name.data() == arguments[0].data();
                if (!stays && !is_file_name(name)) {
                    return usage(of, in_quotes(name) +
                                         " is not the name of a file of the tables folder (letters, digits, "
                                         "'.', '_', '-'; never a path)");
                }
            }
            if (arguments[0] != "-") {
                made.base = arguments[0];
            }
            if (arguments.size() > 1) {
                made.overlay = arguments[1];
            }
            return made;
        case verb::table_commit:
        case verb::table_rollback:
        case verb::events_acknowledge:
            if (!arguments.empty()) {
                const auto number = parse_number(of, arguments[0]);
                if (!number) {
                    return tl::unexpected(number.error());
                }
                made.number = *number;
            }
            return made;
        case verb::capture_start:
            return capture_command(of, arguments, std::move(made));
        case verb::events:
            return events_command(of, arguments, std::move(made));
        case verb::table_diff:
        case verb::table_discard:
        case verb::show_table:
        case verb::show_counters:
        case verb::show_sessions:
        case verb::show_listeners:
        case verb::show_version:
        case verb::show_port:
        case verb::show_capture:
        case verb::capture_stop:
        case verb::explain:
        case verb::drain:
        case verb::help:
        case verb::quit:
            return made;
    }
    return made;
}

}  // namespace

const std::array<std::string_view, 20>& command_forms() noexcept {
    static constexpr auto forms = [] {
        std::array<std::string_view, rules.size()> all{};
        std::transform(rules.begin(), rules.end(), all.begin(), [](const rule& each) { return each.form; });
        return all;
    }();
    return forms;
}

bool is_file_name(std::string_view text) noexcept {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
               c == '-';
    };
    return !text.empty() && text.size() <= longest_file_name && text.front() != '.' && text.front() != '-' &&
           std::all_of(text.begin(), text.end(), allowed);
}

tl::expected<command, std::string> parse_command(std::string_view line) {
    if (!line.empty() && line.back() == '\r') {
        line.remove_suffix(1);
    }
    if (line.size() > longest_command) {
        return tl::unexpected("the line is longer than " + std::to_string(longest_command) + " octets");
    }
    if (u8_check(reinterpret_cast<const std::uint8_t*>(line.data()), line.size()) != nullptr) {
        return tl::unexpected(std::string("the line is not UTF-8; send words of UTF-8 or ASCII"));
    }
    const auto is_control = [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == '\x7f'; };
    if (std::any_of(line.begin(), line.end(), is_control)) {
        return tl::unexpected(std::string("the line has a control character; send words, spaces between them, and LF"));
    }

    std::array<std::string_view, most_words> list;
    std::size_t count = 0;
    for (std::size_t at = 0; at < line.size();) {
        if (is_space(line[at])) {
            ++at;
            continue;
        }
        std::size_t end = at;
        while (end < line.size() && !is_space(line[end])) {
            ++end;
        }
        if (count < list.size()) {
            list[count] = line.substr(at, end - at);
        }
        ++count;
        at = end;
    }
    if (count == 0) {
        return tl::unexpected(std::string("an empty line; \"help\" lists the commands"));
    }

    const auto* const found = std::find_if(rules.begin(), rules.end(), [&](const rule& each) {
        return list[0] == each.first && (each.second.empty() || (count > 1 && list[1] == each.second));
    });
    if (found == rules.end()) {
        std::string said(list[0]);
        if ((said == "table" || said == "show" || said == "capture") && count > 1) {
            said += ' ';
            said += list[1];
        }
        return tl::unexpected(in_quotes(said) + " is not a command; \"help\" lists them");
    }

    command made;
    made.what = found->what;
    if (found->what == verb::explain) {
        // The rest of the line: a quoted local part may hold spaces.
        std::string_view rest = line.substr(static_cast<std::size_t>(list[0].data() - line.data()) + list[0].size());
        while (!rest.empty() && is_space(rest.front())) {
            rest.remove_prefix(1);
        }
        while (!rest.empty() && is_space(rest.back())) {
            rest.remove_suffix(1);
        }
        if (rest.empty()) {
            return usage(*found, "the address is missing");
        }
        made.address = rest;
        return made;
    }
    const std::size_t skipped = found->second.empty() ? 1 : 2;
    const std::size_t arguments = count - skipped;
    if (arguments < found->least_arguments) {
        return usage(*found, "an argument is missing");
    }
    if (arguments > found->most_arguments) {
        return usage(*found, "there are too many words");
    }
    return with_arguments(*found, words(list).subspan(skipped, arguments), std::move(made));
}

}  // namespace postern::edge
