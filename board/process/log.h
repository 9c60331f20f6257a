// Logs of every Postern program: one event per line, JSON with fields, to stderr (journald takes it from there).
//
// `log(level::warn, "route_alarm", {{"route", 3}, {"reason", text}})` writes
// {"time":"2026-01-31T12:00:00.123Z","level":"warn","program":"postern-edge","event":"route_alarm","route":3,"reason":"…"}.
// Any thread; never blocks on anything but the write. Secrets and message bodies never go in.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <variant>

namespace postern::process {

enum class level : std::uint8_t { debug, info, warn, error };

struct log_field {
    using value_type = std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool>;
    std::string_view name;
    value_type value;

    log_field(std::string_view n, std::string_view v) : name(n), value(v) {}
    log_field(std::string_view n, const char* v) : name(n), value(std::string_view(v)) {}
    log_field(std::string_view n, bool v) : name(n), value(v) {}
    log_field(std::string_view n, double v) : name(n), value(v) {}
    template <std::signed_integral T>
    log_field(std::string_view n, T v) : name(n), value(static_cast<std::int64_t>(v)) {}
    template <std::unsigned_integral T>
        requires(!std::same_as<T, bool>)
    log_field(std::string_view n, T v) : name(n), value(static_cast<std::uint64_t>(v)) {}
};

/// Sets the program's name and the least level that is written. Before this call: "postern", info.
void start_log(std::string_view program, level least);

/// "debug", "info", "warn" or "error"; anything else is false and leaves `out` alone.
bool parse_level(std::string_view word, level& out) noexcept;

void log(level at, std::string_view event, std::initializer_list<log_field> fields = {});

}  // namespace postern::process
