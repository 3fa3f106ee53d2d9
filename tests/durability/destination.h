#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "sender/fake_peer.h"
#include "tests/durability/power_cut.h"

namespace godwit::durability {

// What the destination does with a recipient, and how he must end. The first word of his address.
enum class Fate {
  kTaken,     // "taken.": at once
  kDeferred,  // "deferred.": 450 once or twice, then taken
  kRefused,   // "refused.": 550
  kNever,     // "never.": 450, until his age is reached
};
[[nodiscard]] std::string_view fate_name(Fate fate);
[[nodiscard]] Fate fate_of(std::string_view address);

// The second word of his address: nothing stands between his mail and the destination but the work.
inline constexpr std::string_view kPromptly = "promptly";
[[nodiscard]] bool is_prompt(std::string_view address);

// The mail hosts of the world, all in one, and the ledger of what they took. Outlives every life of the pipeline.
//
// Threads  any
class Destination {
 public:
  // One life's SMTP server. While it lives, what it answers depends on `power`: without, nothing.
  [[nodiscard]] std::unique_ptr<sender::FakePeer> open(PowerCut& power);

  // In which lives the address was taken, oldest first, once for each time.
  [[nodiscard]] std::map<std::string, std::vector<int>> taken() const;
  // Of those who were to be taken promptly, how many were.
  [[nodiscard]] std::size_t prompt_total() const;
  [[nodiscard]] std::size_t deferred_total() const;
  // Recipients of mail whose content was not what the customer had sent.
  [[nodiscard]] std::vector<std::string> spoiled() const;
  // Waits for that many, at most `bound`.
  void wait_prompt(std::size_t total, std::chrono::milliseconds bound) const;

 private:
  std::string recipient(const std::string& line, int connection);
  void final_dot(int connection, bool spoiled);

  mutable std::mutex mutex_;
  mutable std::condition_variable more_;
  int life_ = -1;
  std::map<int, std::vector<std::string>> transactions_;  // by connection: recipients said yes to
  std::map<std::string, int> deferrals_;
  std::map<std::string, std::vector<int>> taken_;
  std::vector<std::string> spoiled_;
  std::size_t prompt_total_ = 0;
  std::size_t deferred_total_ = 0;
};

}  // namespace godwit::durability
