#include "control/sources/push/fetcher.h"

#include <utility>

#include "control/sources/push/lines.h"

namespace postern::sources::push {
namespace {

class file_fetcher final : public fetcher {
public:
    explicit file_fetcher(pushed_file of) : _of(std::move(of)) {}

    fetch_outcome fetch(const fetch_request& /*request*/, entry_sink& into, const std::atomic<bool>& stop) override {
        fetch_outcome out;
        out.whole = _of.whole;
        const auto read = read_file_lines(_of.path, [&](line&& one) {
            ++out.read;
            return !stop.load(std::memory_order_relaxed) &&
                   (one.what == line::kind::gone ? into.gone(one.person.identity) : into.entry(std::move(one.person)));
        });
        if (read) {
            out.end = fetch_outcome::end::complete;
            out.cookie = _of.cookie;
        } else if (read.error().stopped) {
            out.end = fetch_outcome::end::stopped;
        } else {
            // It was read through before it was taken: the file is not what it was.
            out.step = "list";
            out.reason =
                (read.error().line == 0 ? "" : "line " + std::to_string(read.error().line) + ": ") + read.error().text;
        }
        return out;
    }

private:
    pushed_file _of;
};

}  // namespace

std::unique_ptr<fetcher> make_fetcher(pushed_file of) {
    return std::make_unique<file_fetcher>(std::move(of));
}

}  // namespace postern::sources::push
