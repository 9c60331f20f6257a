// Builds a base beside the publisher's own thread, so that overlays go on over the old base meanwhile.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <tl/expected.hpp>

#include "control/directory/store.h"

namespace postern::publish {

struct built_base {
    std::uint64_t number = 0;
    std::string file;
    std::uint64_t seq = 0;  ///< holds all changes up to it
    std::uint64_t addresses = 0;
    std::uint64_t domains = 0;
};

class base_build {
public:
    base_build() = default;
    ~base_build() { cancel(); }
    base_build(const base_build&) = delete;
    base_build& operator=(const base_build&) = delete;

    /// Precondition: !running(). `done` is called at the end by the building thread.
    void start(const directory::store& store, const std::string& folder, std::uint64_t number,
               std::function<void()> done);
    bool running() const noexcept { return _thread.joinable(); }
    bool finished() const noexcept { return _finished.load(); }
    /// Precondition: finished(). The result once; then another may be started.
    tl::expected<built_base, std::string> take();
    /// Stops a running build within some milliseconds; its file does not stay.
    void cancel();

private:
    std::thread _thread;
    std::atomic<bool> _finished{false};
    std::atomic<bool> _cancel{false};
    tl::expected<built_base, std::string> _result;
};

}  // namespace postern::publish
