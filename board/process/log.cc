#include "board/process/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace postern::process {
namespace {

spdlog::level::level_enum to_spdlog(level at) {
    switch (at) {
        case level::debug:
            return spdlog::level::debug;
        case level::info:
            return spdlog::level::info;
        case level::warn:
            return spdlog::level::warn;
        case level::error:
            return spdlog::level::err;
    }
    return spdlog::level::info;
}

std::string_view word(level at) {
    switch (at) {
        case level::debug:
            return "debug";
        case level::info:
            return "info";
        case level::warn:
            return "warn";
        case level::error:
            return "error";
    }
    return "info";
}

/// spdlog brings the time (UTC, milliseconds), locking and the sink; the rest of the line is ours.
std::shared_ptr<spdlog::logger> make_logger() {
    auto made = std::make_shared<spdlog::logger>("postern", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_formatter(std::make_unique<spdlog::pattern_formatter>("{\"time\":\"%Y-%m-%dT%H:%M:%S.%eZ\"%v}",
                                                                    spdlog::pattern_time_type::utc));
    made->flush_on(spdlog::level::debug);
    return made;
}

struct log_state {
    std::shared_ptr<spdlog::logger> logger = make_logger();
    std::string program = "postern";
};

log_state& state() {
    static log_state the_state;
    return the_state;
}

/// A JSON string. Octets that are not UTF-8 (hostile input is logged too) become `?`, so that a line is always valid
/// JSON.
void append_string(std::string& to, std::string_view text) {
    std::string clean;
    clean.reserve(text.size());
    for (const char c : text) {
        clean += static_cast<unsigned char>(c) < 0x80 ? c : '?';
    }
    to += boost::json::serialize(boost::json::value(boost::json::string(clean)));
}

void append_value(std::string& to, const log_field::value_type& value) {
    if (const auto* text = std::get_if<std::string_view>(&value)) {
        append_string(to, *text);
    } else if (const auto* yes = std::get_if<bool>(&value)) {
        to += *yes ? "true" : "false";
    } else if (const auto* real = std::get_if<double>(&value)) {
        to += boost::json::serialize(boost::json::value(*real));
    } else if (const auto* integer = std::get_if<std::int64_t>(&value)) {
        to += std::to_string(*integer);
    } else {
        to += std::to_string(std::get<std::uint64_t>(value));
    }
}

}  // namespace

void start_log(std::string_view program, level least) {
    state().program = program;
    state().logger->set_level(to_spdlog(least));
}

bool parse_level(std::string_view name, level& out) noexcept {
    for (const level each : {level::debug, level::info, level::warn, level::error}) {
        if (name == word(each)) {
            out = each;
            return true;
        }
    }
    return false;
}

void log(level at, std::string_view event, std::initializer_list<log_field> fields) {
    const log_state& current = state();
    if (!current.logger->should_log(to_spdlog(at))) {
        return;
    }
    std::string line = ",\"level\":\"";
    line += word(at);
    line += "\",\"program\":";
    append_string(line, current.program);
    line += ",\"event\":";
    append_string(line, event);
    for (const log_field& field : fields) {
        line += ',';
        append_string(line, field.name);
        line += ':';
        append_value(line, field.value);
    }
    current.logger->log(to_spdlog(at), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace postern::process
