// Golden dialogues: files that hold what a client says, what it must hear, and what the relay must be told, in order.
//
//     C: EHLO x            the client sends a line (CR LF is added); \r \n \\ \xHH and {text*COUNT} are expanded
//     C| EHL               the client sends just this
//     S: 250 OK            the next line that the client gets
//     S: <nothing>         nothing more has come   <closed> FIN has   <reset> RST has
//     T: 300s              time passes
//     R: rcpt 550 5.1.1 X  the relay's next answer to a recipient (data, final: likewise; `-`: silence)
//     R: now rcpt 250 OK   the relay answers now what it was silent about (data, final: likewise)
//     R: abort 451 X       the relay's transaction breaks off now
//     R: room 5            the relay takes so many octets of content and no more; R: credit: it takes all again
//     R: refuse            the relay has no room for transactions
//     R> begin …           the next that the relay was told
//     X: close             the client sends FIN. reset: RST. drain: the server shuts down. table none: no table any
//     more
//
// Before the first of these lines, what the world is like (without `domain` lines it is the usual one of world.h):
//     domain NAME MODE [route=N] [on_hold] [grace_defers] [trusted=A.B.C.D/N]
//     route N [unconfirmed] [catch_all]
//     listed ADDRESS [grace] [internal_only]
//     set NAME VALUE       a setting
//     in step              not to be pipelined: an answer depends on the relay's to an earlier recipient
//     peer A.B.C.D, listener N, admission NAME, early TEXT
// `#` begins a comment line. Every file is played as written, octet by octet, and with as many commands in a segment as
// the lines that are no C: or S: allow: the replies must be the same.
#pragma once

#include <string>
#include <vector>

namespace postern::session::testing {

enum class playing { as_written, octet_by_octet, pipelined };

/// Plays the file at `path`. The result says what differed, with line numbers; empty: nothing.
std::vector<std::string> play(const std::string& path, playing how);

}  // namespace postern::session::testing
