#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/log/embedded.h"
#include "common/log/segment_format.h"

namespace godwit::log {

// Octets of a segment that should be batches and cannot be read.
struct Unreadable {
  std::string file;
  StreamPosition from;
  std::uint32_t bytes = 0;
  std::string cause;
};

// Makes the value of a row of `dead` from a part of what cannot be read; the log knows no record format.
using EncodeUnreadable =
    std::function<std::string(const Unreadable& where, std::string_view octets)>;

// Repairs a log that open_embedded() refuses with kCorrupt because batches cannot be read (`godwit ctl log repair`).
//
// What cannot be read goes to the table `dead`, whole, in parts of 256 KiB under
// "repair/<segment>/<position>/<part>", and is on disk there before its place is written over by batches that say
// "something is missing here". Readers get kCorrupt at the offsets that are lost and go on behind them; positions
// and changes of tables that were in it are lost, as the report says.
// Returns  what was found; empty: the log is sound
// Errors   kUnavailable (another process holds the log); kCorrupt (tables, identity or a segment's header: only
//          a backup helps); kNoSpace, kIo
// Blocks for as long as reading the log takes.
[[nodiscard]] Result<std::vector<Unreadable>> repair(const EmbeddedConfig& config,
                                                     const EncodeUnreadable& encode);

}  // namespace godwit::log
