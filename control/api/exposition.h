// Prometheus' text format 0.0.4, written family by family.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "control/api/encode.h"
#include "control/api/service.h"

namespace postern::api {

/// A label's value as it stands between its quotes.
inline std::string label(std::string_view value) {
    std::string out;
    for (const char c : printable_utf8(value)) {
        if (c == '\\' || c == '"') {
            out += '\\';
        }
        out += c;
    }
    return out;
}

class exposition {
public:
    void head(std::string_view name, std::string_view type, std::string_view help) {
        _text += "# HELP " + std::string(name) + " " + std::string(help) + "\n# TYPE " + std::string(name) + " " +
                 std::string(type) + "\n";
    }
    void value(std::string_view name, std::string_view labels, std::uint64_t number) {
        _text += std::string(name);
        if (!labels.empty()) {
            _text += "{" + std::string(labels) + "}";
        }
        _text += " " + std::to_string(number) + "\n";
    }
    void one(std::string_view name, std::string_view type, std::string_view help, std::uint64_t number) {
        head(name, type, help);
        value(name, "", number);
    }
    std::string take() { return std::move(_text); }

private:
    std::string _text;
};

/// What directory sources and their syncs count (metrics_syncs.cc).
answer<void> add_sync_metrics(const service& with, exposition& out);
/// What discovery counts, and how it stands (metrics_discovery.cc).
answer<void> add_discovery_metrics(const service& with, exposition& out);

}  // namespace postern::api
