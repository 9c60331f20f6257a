// Puts the directory's list in force: changes become generation files in the tables folder, and every edge is told
// over its socket (docs/edge-socket.md) to prepare and commit them.
//
// One thread builds; one thread for each edge talks, so an edge that hangs holds up no other. What is still to be
// published is read from the directory's change feed, never remembered, so a crash at any point loses nothing.
// A generation is a base (the whole list) and an overlay (what changed since); the overlay is rebuilt in milliseconds
// with each change and folded into a new base when it has grown.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "control/directory/store.h"

namespace postern::publish {

struct edge_address {
    std::string name;    ///< for people
    std::string socket;  ///< path of the Unix socket
};

struct publisher_options {
    std::string tables;  ///< the folder that control writes and the edges read; made if it is not there
    std::vector<edge_address> edges;
    std::size_t overlay_limit = 20'000;                 ///< changed addresses, beyond which a new base is built
    std::chrono::milliseconds coalesce{5};              ///< how long further changes are waited for; at most 20
    std::chrono::milliseconds command_timeout{60'000};  ///< for an edge's answer (it reads a base of any size)
    std::chrono::milliseconds retry_min{50};            ///< first wait before an edge is tried again
    std::chrono::milliseconds retry_max{2'000};         ///< longest
    /// Tests: called at each step with its name, by any of the threads; true stops the publisher there as a crash
    /// would.
    std::function<bool(std::string_view step)> fault;
};

enum class edge_state : std::uint8_t { connecting, in_step, behind, refused };

struct edge_status {
    std::string name;
    std::string socket;
    edge_state state = edge_state::connecting;
    std::uint64_t generation = 0;    ///< in force there; 0: none or unknown
    std::uint64_t seq = 0;           ///< changes up to it are in force there
    std::string error;               ///< the last one, while it lasts
    directory::timestamp since = 0;  ///< of the state
};

struct publisher_status {
    std::uint64_t generation = 0;  ///< last one made
    std::string base;
    std::string overlay;
    std::uint64_t addresses = 0;
    std::size_t overlay_size = 0;
    std::uint64_t seq = 0;       ///< changes up to it are in the generation
    std::uint64_t last_seq = 0;  ///< changes there are; the difference is the lag
    bool building = false;
    std::string error;  ///< why the last build failed, while it lasts
    std::uint64_t bases_built = 0;
    std::uint64_t overlays_built = 0;
    std::vector<edge_status> edges;
};

enum class in_force : std::uint8_t {
    everywhere,  ///< at every configured edge (without edges: in the tables folder)
    timed_out,   ///< not yet; `status` says where and why
    stopped,     ///< the publisher is not running
};

class publisher {
public:
    /// Checks the folder and starts the threads. `store` must outlive it.
    static directory::result<std::unique_ptr<publisher>> start(directory::store& store, publisher_options options);
    ~publisher();  ///< stops and joins; what is not published is so at the next start

    /// Waits until all changes up to `seq` (of `writer::commit` or `import_report::seq`) are in force.
    in_force wait_in_force(std::uint64_t seq, std::chrono::milliseconds patience) const;
    publisher_status status() const;

private:
    class body;
    explicit publisher(std::unique_ptr<body> made) noexcept;
    std::unique_ptr<body> _body;
};

std::string_view to_string(edge_state state) noexcept;

}  // namespace postern::publish
