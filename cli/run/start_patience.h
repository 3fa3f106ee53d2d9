#pragma once

#include <chrono>
#include <functional>
#include <string_view>
#include <type_traits>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace godwit::cli::run {

// Asks again while a process starts, as long as brokers do not answer. On a cluster everything starts at once, and
// brokers take longer than we do.
//
// Asked again  what ended with log::Errc::kUnavailable. Anything else, and a setting that is wrong, is answered
// Bound        `timeout` from the first question on; none begins after it. Then the last answer counts
// Borrows      the clock
// Threads      one
class StartPatience {
 public:
  // Told why, before the next question; waits a moment itself. True: do not ask again.
  using Wait = std::function<bool(std::string_view problem)>;
  StartPatience(const Clock& clock, std::chrono::milliseconds timeout, Wait wait);

  template <class Ask>
  [[nodiscard]] auto until_answered(Ask ask) -> std::invoke_result_t<Ask&> {
    while (true) {
      auto answer = ask();
      if (answer) return answer;
      switch (judge(answer.error())) {
        case Verdict::kAnswered: return answer;
        case Verdict::kAskAgain: break;
        case Verdict::kEnd: return fail(std::make_error_code(std::errc::operation_canceled));
      }
    }
  }

 private:
  enum class Verdict : std::uint8_t { kAnswered, kAskAgain, kEnd };
  [[nodiscard]] Verdict judge(const Error& error);

  const Clock& clock_;
  const std::chrono::milliseconds timeout_;
  const Wait wait_;
  const Instant begun_;
};

}  // namespace godwit::cli::run
