#include "smtp/recipients/placing_crew.h"

#include <algorithm>
#include <utility>

namespace postern::recipients {

placing_crew::placing_crew(const work& of, unsigned threads) : _work(of) {
    const auto count = static_cast<unsigned>(std::min<std::uint64_t>(threads, _work.partition_ends.size()));
    if (count <= 1) {
        _current = std::make_unique<partition>();
        return;
    }
    for (unsigned i = 0; i < 2 * count; ++i) {
        _free.push_back(std::make_unique<partition>());
    }
    for (unsigned i = 0; i < count; ++i) {
        _threads.emplace_back([this] { place_all(); });
    }
}

placing_crew::~placing_crew() {
    {
        const std::lock_guard lock(_mutex);
        _stopping = true;
    }
    _changed.notify_all();
    for (std::thread& one : _threads) {
        one.join();
    }
}

const placing_crew::partition& placing_crew::next() {
    const std::uint64_t number = _given++;
    if (_threads.empty()) {
        place(number, *_current, _own);
        return *_current;
    }
    std::unique_lock lock(_mutex);
    if (_current != nullptr) {
        _free.push_back(std::move(_current));
        _changed.notify_all();
    }
    _changed.wait(lock, [&] { return !_done.empty() && _done.begin()->first == number; });
    _current = std::move(_done.begin()->second);
    _done.erase(_done.begin());
    return *_current;
}

void placing_crew::place(std::uint64_t number, partition& into, partition_placer& placer) const {
    const std::uint64_t begin = number == 0 ? 0 : _work.partition_ends[number - 1];
    const std::size_t buckets = _work.pilots.size() / _work.partition_ends.size();
    into.lines.resize(_work.where.lines_per_partition);
    std::fill(into.lines.begin(), into.lines.end(), line{});
    into.how = placer.place(_work.entries.subspan(begin, _work.partition_ends[number] - begin), _work.where,
                            _work.pilots.subspan(number * buckets, buckets), into.lines);
    into.shared_hash = placer.shared_hash();
}

void placing_crew::place_all() {
    partition_placer placer;
    std::unique_lock lock(_mutex);
    for (;;) {
        // Room first, then the lowest number: so the one that the caller waits for always has room.
        _changed.wait(lock, [this] { return _stopping || !_free.empty(); });
        if (_stopping || _taken == _work.partition_ends.size()) {
            return;
        }
        auto into = std::move(_free.back());
        _free.pop_back();
        const std::uint64_t number = _taken++;
        lock.unlock();
        place(number, *into, placer);
        lock.lock();
        _done.emplace(number, std::move(into));
        _changed.notify_all();
    }
}

}  // namespace postern::recipients
