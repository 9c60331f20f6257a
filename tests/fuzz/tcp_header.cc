// TCP headers of any octets: read within their bounds, and what was read comes back when it is written and read again.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "dataplane/tcp/header.h"

namespace {

using namespace postern;

void require(bool holds, const char* what) {
    if (!holds) {
        std::fputs(what, stderr);
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    shard::endpoint from;
    shard::endpoint to;
    from.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
    to.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 51, 100, 1};
    // An exact copy on the heap: ASan sees a step too far.
    const std::vector<std::uint8_t> octets(data, data + size);
    (void)tcp::read_segment(from, to, octets, tcp::checksum_state::verify);
    const auto s = tcp::read_segment(from, to, octets, tcp::checksum_state::good);
    if (!s) {
        return 0;
    }
    require(s->payload.empty() ||
                (s->payload.data() >= reinterpret_cast<const char*>(octets.data()) + 20 &&
                 s->payload.data() + s->payload.size() == reinterpret_cast<const char*>(octets.data()) + octets.size()),
            "the payload is not the segment's");
    tcp::outgoing out;
    out.local = s->peer;
    out.peer = s->local;
    out.seq = s->seq;
    out.ack = s->ack;
    out.flags = s->flags;
    out.window = s->window;
    out.options = s->options;
    out.payload = {&s->payload, 1};
    out.payload_size = s->payload.size();
    std::vector<std::uint8_t> written(tcp::header_size(out) + out.payload_size);
    if (tcp::header_size(out) > tcp::largest_header) {
        require(tcp::write_segment(out, written) == 0, "a header beyond its bounds was written");
        return 0;
    }
    require(tcp::write_segment(out, written) == written.size(), "a segment was not written");
    const auto again = tcp::read_segment(from, to, written);
    require(again.has_value(), "what was written is not read");
    require(again->seq == s->seq && again->ack == s->ack && again->flags == s->flags && again->window == s->window &&
                again->payload.size() == s->payload.size() && again->peer == s->peer && again->local == s->local,
            "fields differ");
    require(again->options.mss == s->options.mss && again->options.timestamp == s->options.timestamp &&
                again->options.timestamp_echo == s->options.timestamp_echo &&
                again->options.window_scale == s->options.window_scale &&
                again->options.sack_permitted == s->options.sack_permitted &&
                again->options.sack_blocks == s->options.sack_blocks,
            "options differ");
    return 0;
}
