// A directory, a tables folder, an edge and a publisher between them.
#pragma once

#include <algorithm>
#include <filesystem>

#include "control/publish/publisher.h"
#include "tests/control/directory/open_store.h"
#include "tests/control/publish/fake_edge.h"

namespace postern::publish {

using directory::need;

class publish_test : public directory::store_test {
protected:
    static constexpr std::chrono::seconds patience{60};

    publish_test() : _edge(_folder.file("edge.sock"), tables()) {}
    ~publish_test() override {
        _publisher.reset();
        _edge.stop();
    }

    std::string tables() const { return _folder.file("tables"); }

    void start(std::size_t overlay_limit = 1000, std::function<bool(std::string_view)> fault = {}) {
        publisher_options options;
        options.tables = tables();
        options.edges = {{"edge", _folder.file("edge.sock")}};
        options.overlay_limit = overlay_limit;
        options.coalesce = std::chrono::milliseconds(1);
        options.retry_min = std::chrono::milliseconds(5);
        options.retry_max = std::chrono::milliseconds(20);
        options.fault = std::move(fault);
        start(std::move(options));
    }
    void start(publisher_options options) {
        _publisher.reset();
        _publisher = need(publisher::start(*_store, std::move(options)));
    }

    std::uint64_t commit(directory::writer& in) { return need(in.commit()); }
    std::uint64_t add_one(const std::string& address) {
        directory::writer in = write();
        directory::new_mailbox input;
        input.address = address;
        need(add_mailbox(in, input));
        return commit(in);
    }
    std::uint64_t remove_one(const std::string& address) {
        directory::writer in = write();
        need(remove_mailbox(in, need(find_mailbox(in, address)).id));
        return commit(in);
    }
    std::uint64_t last_seq();
    void settle() { ASSERT_EQ(_publisher->wait_in_force(last_seq(), patience), in_force::everywhere) << error(); }
    std::string error() const {
        const publisher_status now = _publisher->status();
        return now.error + " / " + (now.edges.empty() ? "" : now.edges[0].error);
    }

    std::vector<std::string> files() const {
        std::vector<std::string> out;
        for (const auto& each : std::filesystem::directory_iterator(tables())) {
            out.push_back(each.path().filename().string());
        }
        std::ranges::sort(out);
        return out;
    }
    /// Waits for a condition that the publisher's threads bring about.
    template <class Condition>
    bool eventually(Condition condition) const {
        for (int n = 0; n < 3000; ++n) {
            if (condition()) {
                return true;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        return false;
    }

    fake_edge _edge;
    std::unique_ptr<publisher> _publisher;
};

}  // namespace postern::publish
