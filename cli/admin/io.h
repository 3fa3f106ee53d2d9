#pragma once

#include <iosfwd>

namespace godwit::cli::admin {

// Where a command writes: its answer to `out`, what went wrong and how far it is to `err`.
struct Io {
  std::ostream& out;
  std::ostream& err;
};

// Exit statuses of every command (cli/README.md); 2 is CLI11's, for usage.
inline constexpr int kDone = 0;
inline constexpr int kAnswerIsNo = 1;
inline constexpr int kUsage = 2;
inline constexpr int kCouldNotRun = 3;

}  // namespace godwit::cli::admin
