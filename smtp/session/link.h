// What the engine asks of the transport that carries a connection: the operations of `shard::transport` (seam.h),
// with the transport's type erased so that the engine is compiled once. `layer` (layer.h) makes one of any transport.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "dataplane/shard/seam.h"

namespace postern::session {

class link {
public:
    virtual std::span<char> reserve(shard::connection c, std::size_t octets) = 0;
    virtual void commit(shard::connection c, std::size_t octets) = 0;
    /// Both in one (seam.h), and so one call.
    virtual bool say_now(shard::connection c, std::string_view text) = 0;
    virtual void want_read(shard::connection c, bool wanted) = 0;
    virtual void set_deadline(shard::connection c, shard::instant when) = 0;
    virtual void finish(shard::connection c) = 0;
    virtual void finish_silent(shard::connection c) = 0;
    virtual void abort(shard::connection c) = 0;
    virtual const shard::connection_info& info(shard::connection c) const = 0;
    virtual shard::instant now() const = 0;

protected:
    ~link() = default;
};

}  // namespace postern::session
