#include "dataplane/edge/manifest.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>

#include "board/process/files.h"
#include "dataplane/edge/command.h"

namespace postern::edge {
namespace {

constexpr const char* file_name = "manifest.json";
constexpr std::size_t longest_manifest = 65'536;

boost::json::object to_object(const table_pair& pair) {
    boost::json::object out;
    out["generation"] = pair.generation;
    out["base"] = pair.base;
    if (pair.overlay.empty()) {
        out["overlay"] = nullptr;
    } else {
        out["overlay"] = pair.overlay;
    }
    return out;
}

tl::expected<std::uint64_t, std::string> number(const boost::json::object& from, const char* key) {
    const boost::json::value* value = from.if_contains(key);
    boost::system::error_code problem;
    if (value != nullptr && value->is_number()) {
        const auto found = value->to_number<std::uint64_t>(problem);
        if (!problem) {
            return found;
        }
    }
    return tl::unexpected(std::string("\"") + key + "\" is not a whole number");
}

tl::expected<std::string, std::string> name(const boost::json::object& from, const char* key, bool optional) {
    const boost::json::value* value = from.if_contains(key);
    if (optional && (value == nullptr || value->is_null())) {
        return std::string();
    }
    if (value != nullptr && value->is_string()) {
        const std::string_view text(value->get_string().data(), value->get_string().size());
        if (is_file_name(text)) {
            return std::string(text);
        }
    }
    return tl::unexpected(std::string("\"") + key + "\" is not a file's name");
}

tl::expected<table_pair, std::string> pair_from(const boost::json::object& from) {
    const auto generation = number(from, "generation");
    if (!generation) {
        return tl::unexpected(generation.error());
    }
    auto base = name(from, "base", false);
    if (!base) {
        return tl::unexpected(base.error());
    }
    auto overlay = name(from, "overlay", true);
    if (!overlay) {
        return tl::unexpected(overlay.error());
    }
    return table_pair{*generation, std::move(*base), std::move(*overlay)};
}

}  // namespace

manifest manifest::after(table_pair next) const {
    manifest out;
    out.in_force = std::move(next);
    std::vector<table_pair> candidates;
    if (!in_force.base.empty()) {
        candidates.push_back(in_force);
    }
    candidates.insert(candidates.end(), kept.begin(), kept.end());

    std::vector<std::string> bases{out.in_force.base};
    std::size_t older = 0;
    for (table_pair& pair : candidates) {
        const auto same = [&](const table_pair& other) { return other.same_files(pair); };
        if (same(out.in_force) || std::any_of(out.kept.begin(), out.kept.end(), same)) {
            continue;
        }
        const bool new_base = std::find(bases.begin(), bases.end(), pair.base) == bases.end();
        if (out.kept.size() >= most_recent) {
            if (!new_base || older == most_older_bases) {
                continue;
            }
            ++older;
        }
        if (new_base) {
            bases.push_back(pair.base);
        }
        out.kept.push_back(std::move(pair));
    }
    return out;
}

std::string to_json(const manifest& from) {
    boost::json::object out;
    out["version"] = manifest::version;
    for (const auto& member : to_object(from.in_force)) {
        out[member.key()] = member.value();
    }
    boost::json::array kept;
    for (const table_pair& pair : from.kept) {
        kept.push_back(to_object(pair));
    }
    out["kept"] = std::move(kept);
    return boost::json::serialize(out) + "\n";
}

tl::expected<manifest, std::string> manifest_from_json(std::string_view text) {
    boost::system::error_code problem;
    const boost::json::value parsed = boost::json::parse({text.data(), text.size()}, problem);
    if (problem) {
        return tl::unexpected("it is not JSON: " + problem.message());
    }
    if (!parsed.is_object()) {
        return tl::unexpected(std::string("it is not a JSON object"));
    }
    const boost::json::object& from = parsed.get_object();
    const auto version = number(from, "version");
    if (!version) {
        return tl::unexpected(version.error());
    }
    if (*version != manifest::version) {
        return tl::unexpected("its version is " + std::to_string(*version) + ", this program knows " +
                              std::to_string(manifest::version));
    }
    auto in_force = pair_from(from);
    if (!in_force) {
        return tl::unexpected(in_force.error());
    }
    manifest out;
    out.in_force = std::move(*in_force);
    const boost::json::value* kept = from.if_contains("kept");
    if (kept == nullptr || !kept->is_array()) {
        return tl::unexpected(std::string("\"kept\" is not an array"));
    }
    for (const boost::json::value& element : kept->get_array()) {
        if (!element.is_object()) {
            return tl::unexpected(std::string("an element of \"kept\" is not an object"));
        }
        auto pair = pair_from(element.get_object());
        if (!pair) {
            return tl::unexpected("in \"kept\": " + pair.error());
        }
        out.kept.push_back(std::move(*pair));
    }
    return out;
}

tl::expected<std::optional<manifest>, std::string> read_manifest(int state_fd) {
    const process::descriptor file(::openat(state_fd, file_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file) {
        if (errno == ENOENT) {
            return std::optional<manifest>();
        }
        return tl::unexpected(process::errno_text("open", file_name, errno));
    }
    std::string text;
    std::array<char, 4096> block;  // NOLINT: filled by read
    while (true) {
        const ssize_t n = ::read(file.get(), block.data(), block.size());
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return tl::unexpected(process::errno_text("read", file_name, errno));
        }
        if (n == 0) {
            break;
        }
        text.append(block.data(), static_cast<std::size_t>(n));
        if (text.size() > longest_manifest) {
            return tl::unexpected(std::string(file_name) + " is larger than " + std::to_string(longest_manifest) +
                                  " octets");
        }
    }
    auto parsed = manifest_from_json(text);
    if (!parsed) {
        return tl::unexpected(std::string(file_name) + ": " + parsed.error());
    }
    return std::optional(std::move(*parsed));
}

tl::expected<void, std::string> write_manifest(int state_fd, const manifest& to_write) {
    return process::put_file_at(state_fd, file_name, to_json(to_write), 0640);
}

tl::expected<void, std::string> sync_manifest(int state_fd) {
    return process::sync_folder(state_fd, file_name);
}

}  // namespace postern::edge
