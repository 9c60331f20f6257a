#include "smtp/protocol/commands.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <limits>

#include "smtp/protocol/octets.h"
#include "smtp/protocol/paths.h"

namespace postern::protocol {

namespace {

using parsed = tl::expected<void, reply>;
using refused = tl::unexpected<reply>;

constexpr std::uint8_t in(std::initializer_list<phase> all) {
    unsigned bits = 0;
    for (const phase one : all) {
        bits |= static_cast<std::uint8_t>(one);
    }
    return static_cast<std::uint8_t>(bits);
}

parsed parse_nothing(std::string_view argument, const parse_context& /*in*/, command& /*out*/) {
    if (!argument.empty()) {
        return refused(reply::bad_argument);
    }
    return {};
}

parsed parse_anything(std::string_view /*argument*/, const parse_context& /*in*/, command& /*out*/) {
    return {};
}

parsed parse_unknown(std::string_view /*argument*/, const parse_context& /*in*/, command& /*out*/) {
    return refused(reply::unknown_command);
}

/// The name is not verified (RFC 5321 4.1.4): one word of at most 255 octets will do.
parsed parse_name(std::string_view argument, const parse_context& /*in*/, command& out) {
    if (argument.empty() || argument.size() > longest_name || argument.find(' ') != std::string_view::npos) {
        return refused(reply::bad_argument);
    }
    out.argument = argument;
    return {};
}

/// The `FROM:<path> parameters` or `TO:<path> parameters` of a command; parameters are left in `rest`.
parsed parse_path(std::string_view argument, std::string_view keyword, const parse_context& context, command& out,
                  std::string_view& rest) {
    const bool is_sender = out.verb == verb::mail;
    const reply bad_address = is_sender ? reply::bad_sender : reply::bad_recipient;
    if (!is_word(argument.substr(0, keyword.size()), keyword)) {
        return refused(reply::bad_argument);
    }
    // A space behind the colon is against the grammar, but a common slip, and can mean only one thing.
    const std::string_view text = trimmed(argument.substr(keyword.size()));
    if (text.empty() || text.front() != '<') {
        return refused(bad_address);
    }
    // Nearly all are a plain address between brackets and nothing behind; such octets leave no other reading.
    if (text.back() == '>' && recipients::parse_plain_address(text.substr(1, text.size() - 2), context.address)) {
        out.argument = text.substr(1, text.size() - 2);
        return {};
    }
    const auto split = split_path(text);
    if (!split || split->path.size() > longest_path) {
        return refused(bad_address);
    }
    if (kinds_of(split->rest).high) {
        return refused(reply::bad_octets);
    }
    out.argument = split->path;
    rest = split->rest;
    // Only `<>` itself is the null sender, not a source route with nothing behind it.
    if (is_sender && text.substr(0, 2) == "<>") {
        return {};
    }
    const recipients::address_options options{.allow_utf8 = false, .allow_bare_postmaster = !is_sender};
    const auto address = recipients::parse_address(split->path, options, context.address);
    if (!address) {
        return refused(reply_to(address.error(), out.verb));
    }
    return {};
}

parsed parse_size(const parameter& one, command& out) {
    const char* const end = one.value.data() + one.value.size();
    const auto [stopped, error] = std::from_chars(one.value.data(), end, out.size);
    if (!one.has_value || one.value.size() > 20 || stopped != end) {
        return refused(reply::bad_argument);
    }
    if (error == std::errc::result_out_of_range) {
        out.size = std::numeric_limits<std::uint64_t>::max();
    }
    return {};
}

parsed parse_body(const parameter& one, command& out) {
    if (is_word(one.value, "7BIT")) {
        out.body = body_type::seven_bit;
    } else if (is_word(one.value, "8BITMIME")) {
        out.body = body_type::eight_bit_mime;
    } else {
        return refused(one.has_value ? reply::unknown_parameter : reply::bad_argument);
    }
    return {};
}

/// A parameter of MAIL: what it is called, the extension it belongs to, and its parser.
struct parameter_spec {
    std::string_view keyword;
    extension of;
    parsed (*parse)(const parameter& one, command& out);
};

constexpr std::array mail_parameters{
    parameter_spec{"SIZE", extension::size, parse_size},
    parameter_spec{"BODY", extension::eight_bit_mime, parse_body},
};

parsed parse_mail(std::string_view argument, const parse_context& context, command& out) {
    std::string_view rest;
    if (auto path = parse_path(argument, "FROM:", context, out, rest); !path) {
        return path;
    }
    std::array<bool, mail_parameters.size()> seen{};
    while (!rest.empty()) {
        const auto one = next_parameter(rest);
        if (!one) {
            return refused(reply::bad_argument);
        }
        const auto spec = std::find_if(mail_parameters.begin(), mail_parameters.end(),
                                       [&](const parameter_spec& s) { return is_word(one->keyword, s.keyword); });
        if (spec == mail_parameters.end() || !context.extensions.has(spec->of)) {
            return refused(reply::unknown_parameter);
        }
        bool& given = seen[static_cast<std::size_t>(spec - mail_parameters.begin())];
        if (given) {
            return refused(reply::bad_argument);
        }
        given = true;
        if (auto value = spec->parse(*one, out); !value) {
            return value;
        }
    }
    return {};
}

parsed parse_rcpt(std::string_view argument, const parse_context& context, command& out) {
    std::string_view rest;
    if (auto path = parse_path(argument, "TO:", context, out, rest); !path) {
        return path;
    }
    if (rest.empty()) {
        return {};
    }
    return refused(next_parameter(rest) ? reply::unknown_parameter : reply::bad_argument);
}

constexpr std::uint8_t always = in({phase::greeted, phase::ready, phase::transaction});
constexpr std::uint16_t own = 80;  // no reply of Postern's own is longer
constexpr std::uint16_t passed_on = longest_passed_reply;

/// RCPT first: it is what a harvester sends, and the table is searched in order.
constexpr std::array commands{
    command_spec{"RCPT", verb::rcpt, in({phase::transaction}), reply::mail_first, passed_on, true, parse_rcpt},
    command_spec{"MAIL", verb::mail, in({phase::ready}), reply::sender_given, own, true, parse_mail},
    command_spec{"DATA", verb::data, in({phase::transaction}), reply::mail_first, passed_on, false, parse_nothing},
    command_spec{"EHLO", verb::ehlo, always, reply::ok, longest_hello_reply, false, parse_name},
    command_spec{"HELO", verb::helo, always, reply::ok, longest_hello_reply, false, parse_name},
    command_spec{"RSET", verb::rset, always, reply::ok, own, false, parse_nothing},
    command_spec{"QUIT", verb::quit, always, reply::ok, own, false, parse_nothing},
    command_spec{"NOOP", verb::noop, always, reply::ok, own, false, parse_anything},
    command_spec{"VRFY", verb::vrfy, always, reply::ok, own, false, parse_anything},
    command_spec{"EXPN", verb::expn, always, reply::ok, own, false, parse_anything},
    command_spec{"HELP", verb::help, always, reply::ok, own, false, parse_anything},
};

constexpr command_spec unknown_command{"", verb::unknown, always, reply::ok, own, false, parse_unknown};

/// Four octets in upper case as one number.
std::uint32_t folded(const char* four) noexcept {
    std::uint32_t word = 0;
    std::memcpy(&word, four, sizeof word);
    return word & 0xdfdfdfdfU;
}

}  // namespace

const command_spec& find_command(std::string_view line) noexcept {
    constexpr std::size_t size = 4;
    if (line.size() < size || (line.size() > size && line[size] != ' ')) {
        return unknown_command;
    }
    // Folding makes letters of a few other octets, which is_word below finds out.
    const std::uint32_t word = folded(line.data());
    for (const command_spec& one : commands) {
        if (word == folded(one.name.data()) && is_word(line.substr(0, size), one.name)) {
            return one;
        }
    }
    return unknown_command;
}

tl::expected<void, reply> parse(const command_spec& spec, std::string_view line, const parse_context& in,
                                command& out) noexcept {
    const octet_kinds kinds = kinds_of(line);
    if (kinds.control || (kinds.high && !spec.utf8_path)) {
        return refused(reply::bad_octets);
    }
    out = {};
    out.verb = spec.verb;
    if (const auto done = spec.parse(trimmed(line.substr(spec.name.size())), in, out); !done) {
        return done;
    }
    if (kinds.high) {
        return refused(reply::bad_octets);  // in a source route: all else was looked at
    }
    return {};
}

tl::expected<command, reply> parse(const command_spec& spec, std::string_view line, const parse_context& in) noexcept {
    command out;
    if (const auto done = parse(spec, line, in, out); !done) {
        return refused(done.error());
    }
    return out;
}

plain_recipient find_plain_recipient(std::string_view in, recipients::normal_address& address) noexcept {
    constexpr std::string_view front = "RCPT TO:<";
    constexpr std::string_view back = ">\r\n";
    const auto eight = [](const char* at) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, sizeof word);
        return word;
    };
    // Where letters are, both cases are one: only a letter becomes a letter so.
    constexpr std::array<char, 8> letters{'\xdf', '\xdf', '\xdf', '\xdf', '\xff', '\xdf', '\xdf', '\xff'};
    if (in.size() <= front.size() || (eight(in.data()) & eight(letters.data())) != eight(front.data()) ||
        in[front.size() - 1] != front.back()) {
        return {};
    }
    const std::string_view rest = in.substr(front.size());
    const std::size_t size = recipients::parse_plain_address_before(back.front(), rest, address);
    if (size == 0 || rest.substr(size, back.size()) != back) {
        return {};
    }
    return {rest.substr(0, size), front.size() + size + back.size()};
}

reply reply_to(recipients::address_error error, verb in) noexcept {
    if (error == recipients::address_error::not_ascii) {
        return reply::utf8_address;
    }
    return in == verb::mail ? reply::bad_sender : reply::bad_recipient;
}

}  // namespace postern::protocol
