// Findings told to people, and to programs.
#include <algorithm>
#include <boost/json.hpp>

#include "board/doctor/doctor.h"

namespace postern::doctor {
namespace {

namespace json = boost::json;

std::size_t count(const std::vector<finding>& findings, severity how) {
    return static_cast<std::size_t>(
        std::count_if(findings.begin(), findings.end(), [&](const finding& each) { return each.how == how; }));
}

std::string counted(std::size_t number, const char* word) {
    return std::to_string(number) + " " + word + (number == 1 ? "" : "s");
}

}  // namespace

std::string as_text(const std::vector<finding>& findings) {
    std::string out;
    for (const finding& each : findings) {
        out += std::string(word_of(each.how)) + ": " + each.where + ": " + each.what + "\n";
        if (!each.command.empty()) {
            out += "    mend:     " + each.command + "\n";
        }
        if (!each.for_good.empty()) {
            out += "    for good: " + each.for_good + "\n";
        }
    }
    return out + counted(count(findings, severity::error), "error") + ", " +
           counted(count(findings, severity::warning), "warning") + "\n";
}

std::string as_json(const std::vector<finding>& findings) {
    json::array list;
    for (const finding& each : findings) {
        list.push_back({{"severity", word_of(each.how)},
                        {"about", each.about},
                        {"what", each.what},
                        {"where", each.where},
                        {"command", each.command},
                        {"for_good", each.for_good}});
    }
    const json::object whole = {{"findings", std::move(list)},
                                {"errors", count(findings, severity::error)},
                                {"warnings", count(findings, severity::warning)}};
    return json::serialize(whole) + "\n";
}

}  // namespace postern::doctor
