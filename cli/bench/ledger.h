#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace godwit::cli::bench {

// A file of JSON lines that several shards add to. Lines are whole and in the order of each shard.
//
// Durability  a line is in the file (in the kernel's hands) at the latest at flush(), which the tools call every
//             kFlushEvery and at their end: it outlives the server under test, not the machine.
// Errors      the first failed write is kept; status() tells it, later lines are dropped.
// Threads     any; one short lock a line.
class Ledger {
 public:
  static constexpr std::chrono::milliseconds kFlushEvery{50};

  // Appends to what is there. Errors: the system's.
  [[nodiscard]] static Result<std::unique_ptr<Ledger>> open(const std::string& path);
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  void add(std::string_view line);  // without the line's end
  void flush();
  [[nodiscard]] Result<void> status() const;

 private:
  explicit Ledger(int fd) : fd_(fd) {}
  void write_out();

  const int fd_;
  mutable std::mutex mutex_;
  std::string buffer_;
  int error_ = 0;
};

}  // namespace godwit::cli::bench
