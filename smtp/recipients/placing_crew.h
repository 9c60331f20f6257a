// Places the partitions of a table by several threads, or by the caller alone, and gives them in their order.
//
// A thread takes the lowest partition that nobody has; it waits when its lines have nowhere to go, so that no more than
// two partitions a thread are in memory whatever the caller does with them.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "smtp/recipients/placer.h"

namespace postern::recipients {

class placing_crew {
public:
    /// What is placed, and into what; all of it outlives the crew.
    struct work {
        placement where;
        std::span<const keyed_entry> entries;           ///< by partition
        std::span<const std::uint64_t> partition_ends;  ///< of `entries`
        std::span<std::uint8_t> pilots;                 ///< of all partitions; set as they are given
    };
    struct partition {
        placed how = placed::whole;
        std::uint64_t shared_hash = 0;  ///< after `same_hash`
        std::vector<line> lines;
    };

    /// `threads` 0 or 1: the caller's own thread places.
    placing_crew(const work& of, unsigned threads);
    /// Ends the threads, whatever is left.
    ~placing_crew();
    placing_crew(const placing_crew&) = delete;
    placing_crew& operator=(const placing_crew&) = delete;

    /// The next partition; its lines are the caller's until the next call. Not to be called behind the last one.
    const partition& next();

private:
    void place(std::uint64_t number, partition& into, partition_placer& placer) const;
    void place_all();

    work _work;
    std::uint64_t _given = 0;
    std::unique_ptr<partition> _current;  ///< the one that the caller has
    partition_placer _own;                ///< without threads

    std::mutex _mutex;  ///< of all below
    std::condition_variable _changed;
    std::vector<std::unique_ptr<partition>> _free;
    std::map<std::uint64_t, std::unique_ptr<partition>> _done;
    std::uint64_t _taken = 0;
    bool _stopping = false;
    std::vector<std::thread> _threads;  ///< last: they use the others
};

}  // namespace postern::recipients
