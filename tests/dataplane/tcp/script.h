// A small language for exact segments under virtual time, after packetdrill.
//
//     set half_open 0              a setting, before anything else        (numbers; times in ms)
//     < S 0:0(0) win 65535 <mss 1460,sackOK,TS val 100 ecr 0,wscale 7>    the client sends this, in a turn of its own
//     <& . 1:5(4) ack 1 win 1000   likewise, in one turn with the next
//     > S. 0:0(0) ack 1 <…>        the next that the endpoint sent; `win`, `<…>` are compared if they stand there
//     > nothing                    it sent nothing more (so must it be before every `<`, `+` and at the end)
//     + 1.5                        so many seconds pass
//     layer say TEXT | finish | abort | want | unwant | deadline SECONDS      what the session does, in a turn of its
//     own layer reply TEXT | consume N | all                  what it does from now on when octets are offered ? opened
//     | opened early | opened refused | read TEXT | closed | reset | deadline | writable | nothing
//                                  the next callback that the session had
//     client NAME [v6] [isn N]     from here on another client speaks (a port of its own); NAME a is there at start
//     icmp MTU seq N [size N]      an ICMP error quotes a segment of ours
//     frames N                     the port takes N segments more; `frames all`
//     count NAME N                 a counter's value
//     holds connections N time_wait N buffers N           what the endpoint holds
//
// Sequence numbers are relative to each side's ISN, as packetdrill has them: SYN is 0:0(0), the first octet 1:2(1).
// `"TEXT"` behind the length is the payload (\r \n \\ \"); without it octets are letters in the order of the stream.
// `#` begins a comment.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace postern::tcp::testing {

/// Plays a script. What differed, with line numbers; empty: nothing.
std::vector<std::string> play(std::string_view text);

/// The files in scripts/, sorted.
std::vector<std::string> script_files();
std::string read_script(const std::string& name);

}  // namespace postern::tcp::testing
