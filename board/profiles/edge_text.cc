#include "board/profiles/edge_text.h"

#include <algorithm>

namespace postern::profiles {
namespace {

constexpr std::string_view blank = " \t\r";

std::string_view trimmed(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(blank), text.size()));
    text.remove_suffix(text.size() - (text.find_last_not_of(blank) + 1));
    return text;
}

std::string in_quotes(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        out += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    }
    return out + '"';
}

std::string array_of(const std::vector<std::string>& texts) {
    std::string out = "[";
    for (const std::string& text : texts) {
        out += (out.size() > 1 ? ", " : "") + in_quotes(text);
    }
    return out + "]";
}

std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        out.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

/// Where the value of a line ends: before the comment and the blanks in front of it. Strings may hold a '#'.
std::size_t end_of_value(const std::string& line) {
    char quote = 0;
    std::size_t end = line.size();
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (quote != 0) {
            i += c == '\\' && quote == '"' ? 1U : 0U;
            quote = c == quote ? '\0' : quote;
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '#') {
            end = i;
            break;
        }
    }
    const std::size_t last = line.substr(0, end).find_last_not_of(blank);
    return last == std::string::npos ? 0 : last + 1;
}

bool is_header(const std::string& line) {
    return trimmed(line).starts_with('[');
}

/// The name in "[name]  # comment"; empty for anything else.
std::string_view section_of(const std::string& line) {
    const std::string_view text = trimmed(std::string_view(line).substr(0, end_of_value(line)));
    return text.size() > 2 && text.front() == '[' && text[1] != '[' && text.back() == ']'
               ? trimmed(text.substr(1, text.size() - 2))
               : std::string_view();
}

std::string_view key_of(const std::string& line) {
    const std::size_t equals = line.find('=');
    return equals == std::string::npos ? std::string_view() : trimmed(std::string_view(line).substr(0, equals));
}

std::string line_of(const std::string& key, const std::string& value) {
    std::string out = key;
    out += " = ";
    out += value;
    return out;
}

void set_keys(std::vector<std::string>& lines, std::string_view section, const std::vector<spelled_key>& keys) {
    auto begin =
        std::find_if(lines.begin(), lines.end(), [&](const auto& line) { return section_of(line) == section; });
    if (begin == lines.end()) {
        if (!lines.empty() && !lines.back().empty()) {
            lines.emplace_back();
        }
        lines.push_back("[" + std::string(section) + "]");
        begin = lines.end() - 1;
    }
    std::size_t insert_at = static_cast<std::size_t>(begin - lines.begin()) + 1;
    for (const auto& [key, value] : keys) {
        const auto first = lines.begin() + static_cast<std::ptrdiff_t>(insert_at);
        const auto end = std::find_if(first, lines.end(), is_header);
        const auto at = std::find_if(first, end, [&](const auto& line) { return key_of(line) == key; });
        if (at != end) {
            at->replace(0, end_of_value(*at), line_of(key, value));
        } else {
            lines.insert(first, line_of(key, value));
            ++insert_at;
        }
    }
}

bool same(const edge_part& a, const edge_part& b) {
    return a.dpdk == b.dpdk && a.shards == b.shards && a.cores == b.cores && a.device == b.device &&
           a.memory_mib == b.memory_mib && a.descriptors == b.descriptors &&
           a.offload_checksums == b.offload_checksums && a.busy == b.busy;
}

}  // namespace

edge_keys keys_of(const edge_part& part, const std::string& mac, const std::vector<std::string>& addresses,
                  const std::vector<std::string>& gateways) {
    edge_keys out;
    out.edge = {
        {"transport", in_quotes("dpdk")}, {"shards", std::to_string(part.shards)}, {"cores", in_quotes(part.cores)}};
    out.port = {{"device", in_quotes(part.device)}};
    if (!mac.empty()) {
        out.port.emplace_back("mac", in_quotes(mac));
    }
    if (!addresses.empty()) {
        out.port.emplace_back("addresses", array_of(addresses));
    }
    if (!gateways.empty()) {
        out.port.emplace_back("gateways", array_of(gateways));
    }
    out.port.emplace_back("memory_mib", std::to_string(part.memory_mib));
    out.port.emplace_back("descriptors", std::to_string(part.descriptors));
    out.port.emplace_back("offload_checksums", part.offload_checksums ? "true" : "false");
    out.port.emplace_back("idle", in_quotes(part.busy ? "busy" : "sleep"));
    return out;
}

std::string section_text(const edge_keys& keys) {
    std::string out;
    for (const auto& [section, of] : {std::pair("edge", &keys.edge), std::pair("port", &keys.port)}) {
        out += (out.empty() ? "[" : "\n[") + std::string(section) + "]\n";
        for (const auto& [key, value] : *of) {
            out += line_of(key, value);
            out += '\n';
        }
    }
    return out;
}

process::result<std::string> with_keys(std::string_view text, const edge_keys& keys, const std::string& name) {
    std::vector<std::string> lines = lines_of(text);
    set_keys(lines, "edge", keys.edge);
    set_keys(lines, "port", keys.port);
    std::string out;
    for (const std::string& line : lines) {
        out += line + "\n";
    }
    // Whether it went well is told by reading: TOML has more ways to write a file than lines of keys.
    const auto wanted = parse_edge_part(section_text(keys), name);
    const auto read = parse_edge_part(out, name);
    if (!read || !wanted || !same(*wanted, *read)) {
        return tl::unexpected(
            name + " can't be changed line by line (" +
            (read ? std::string("a key stands elsewhere than below [edge] or [port]") : read.error().front()) +
            "); put these in by hand:\n" + section_text(keys));
    }
    return out;
}

}  // namespace postern::profiles
