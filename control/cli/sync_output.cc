#include "control/cli/sync_output.h"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <chrono>
#include <iostream>
#include <thread>

namespace postern::cli {

namespace {

using boost::json::array;
using boost::json::object;

constexpr std::chrono::milliseconds look_again{100};
constexpr std::size_t shown_items = 50;
constexpr int most_looks_at_held = 300;  // 30 s: after that a sync is not in force everywhere

}  // namespace

target sync_path(const std::string& id, const char* rest) {
    return target("/v1/syncs/" + encoded(id) + rest);
}

std::string sync_count(const object& sync, std::string_view name) {
    return text_of(object_of(sync, "counts"), name);
}

void print_sync(const object& sync) {
    const std::string state = text_of(sync, "state");
    std::cout << "sync " << text_of(sync, "id") << " of " << text_of(sync, "source_name") << ": " << state
              << (text_of(sync, "dry") == "yes" ? ", a dry run" : "")
              << (text_of(sync, "whole") == "yes" ? "" : ", changes only") << '\n';
    if (!text_of(sync, "fetched").empty()) {
        std::cout << "read " << sync_count(sync, "read") << " objects, before " << sync_count(sync, "before")
                  << " addresses: added " << sync_count(sync, "added") << ", removed " << sync_count(sync, "removed")
                  << ", changed " << sync_count(sync, "changed") << ", moved " << sync_count(sync, "moved") << '\n';
        for (const auto& [name, words] : {std::pair("left_out", " objects left out"),
                                          std::pair("foreign", " addresses of domains that are not served here"),
                                          std::pair("unusable",
                                                    " addresses that can't be used: posternctl sync "
                                                    "problems")}) {
            if (sync_count(sync, name) != "0") {
                std::cout << sync_count(sync, name) << words << '\n';
            }
        }
    }
    for (const char* const name : {"reason", "guard"}) {
        const std::string step = std::string_view(name) == "reason" ? text_of(sync, "step") : std::string();
        const std::string text = text_of(sync, name);
        if (!text.empty()) {
            std::cout << (step.empty() || text.starts_with(step + ": ") ? "" : step + ": ") << text << '\n';
        }
    }
    if (state == "held") {
        std::cout << "it waits for: posternctl sync approve " << text_of(sync, "id") << ", or discard\n";
    }
    if (!text_of(sync, "change").empty()) {
        std::cout << "change " << text_of(sync, "change")
                  << (text_of(sync, "in_force").empty() ? "" : ", in force since " + text_of(sync, "in_force")) << '\n';
    }
}

void print_changes(const array& rows) {
    print_table(
        rows,
        {{"what", "WHAT"}, {"address", "ADDRESS"}, {"before", "BEFORE"}, {"after", "AFTER"}, {"object", "OBJECT"}});
}

object watch_sync(context& with, const std::string& id) {
    constexpr std::array<std::string_view, 4> passing{"queued", "fetching", "comparing", "publishing"};
    int looks = 0;
    while (true) {
        object now = with.get(sync_path(id));
        const std::string state = text_of(now, "state");
        const bool on_its_way = state == "held" && !text_of(now, "change").empty() &&
                                text_of(now, "in_force").empty() && ++looks < most_looks_at_held;
        if (!on_its_way && std::find(passing.begin(), passing.end(), state) == passing.end()) {
            return now;
        }
        std::this_thread::sleep_for(look_again);
    }
}

void finish_sync(context& with, const object& sync, bool with_changes) {
    with.show(sync, [&] {
        print_sync(sync);
        if (with_changes && !text_of(sync, "fetched").empty()) {
            const array rows = with.list(sync_path(text_of(sync, "id"), "/changes"), shown_items + 1);
            if (!rows.empty()) {
                print_changes(rows);
            }
            if (rows.size() > shown_items) {
                std::cout << "and more: posternctl sync diff " << text_of(sync, "id") << '\n';
            }
        }
    });
    const std::string state = text_of(sync, "state");
    if (state != "succeeded" && state != "previewed") {
        throw stop{status::refused};
    }
}

}  // namespace postern::cli
