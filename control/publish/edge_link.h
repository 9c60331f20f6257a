// Brings one edge to the target and keeps it there: connect, compare, prepare, commit, and again after any failure with
// a growing pause. A thread of its own runs it until `shared::stop`.
//
// A rollback that a person does at the edge holds until the next publication or connection: the directory is the truth.
#pragma once

#include <optional>

#include "control/publish/edge_client.h"
#include "control/publish/shared.h"

namespace postern::publish {

class edge_link {
public:
    edge_link(shared& with, std::size_t index) : _with(with), _index(index) {}
    void run();

private:
    bool connect();
    void bring_to(const target& aim);
    void refused(const target& aim, const std::string& text);
    void lost(const std::string& text);
    void in_force(const target& aim);
    void learn_names();
    void pause();
    void set_state(edge_state state, const std::string& error);

    shared& _with;
    std::size_t _index;
    std::optional<edge_client> _client;
    edge_table _there;  // what the edge has, as far as known
    bool _names_stale = true;
    std::chrono::milliseconds _wait{0};  // the next pause
};

}  // namespace postern::publish
