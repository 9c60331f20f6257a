// What a fetch yields, in a file of its own (RUN.stage) until it is applied: flat memory, nothing of the list touched.
// Private to this folder.
//
// object: one row each time that the fetch names one (the last counts: `finish` takes the others out); gone 1: asserts
// nothing any more. claim: its addresses in domains of the source's organisation, in the directory's order; position 0
// is the mailbox's own. problem: the first of what could not be used.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "control/directory/connection.h"
#include "control/sources/fetch.h"

namespace postern::sync {

struct stage_counts {
    std::uint64_t objects = 0;
    std::uint64_t addresses = 0;  ///< claims
    std::uint64_t foreign = 0;
    std::uint64_t unusable = 0;
};

/// The organisation's domains by every name that they have, aliases too: the id of the domain whose addresses they are.
struct served_domains {
    std::unordered_map<std::string, std::uint32_t> own;
};
directory::result<served_domains> find_served_domains(const directory::reader& in, std::uint32_t organisation);

class stage final : public sources::entry_sink {
public:
    /// Makes the file anew.
    static directory::result<std::unique_ptr<stage>> create(const std::string& path, served_domains served,
                                                            std::uint64_t max_addresses, const std::atomic<bool>& stop);

    bool entry(sources::directory_entry&& one) override;
    bool gone(std::string_view identity) override;
    bool restart_whole() override;

    bool restarted() const noexcept { return _restarted; }
    bool too_many() const noexcept { return _too_many; }
    bool failed() const { return _on->failed(); }
    /// Precondition: failed().
    const directory::error& failure() const { return _on->failure(); }
    /// Puts in order what was yielded and makes it durable. Nothing may be yielded afterwards.
    directory::result<stage_counts> finish();

private:
    stage(std::string path, std::unique_ptr<directory::connection> on, served_domains served,
          std::uint64_t max_addresses, const std::atomic<bool>& stop)
        : _path(std::move(path)),
          _on(std::move(on)),
          _served(std::move(served)),
          _max_addresses(max_addresses),
          _stop(stop) {}
    bool go_on();
    void problem(std::string_view address, std::string_view object, std::string_view reason);

    std::string _path;
    std::unique_ptr<directory::connection> _on;
    served_domains _served;
    std::uint64_t _max_addresses;
    const std::atomic<bool>& _stop;
    stage_counts _counts;
    std::uint64_t _problems = 0;
    std::uint64_t _foreign_problems = 0;
    std::int64_t _last_object = 0;
    bool _restarted = false;
    bool _too_many = false;
    std::string _content;  // of one entry, for its digest
};

}  // namespace postern::sync
