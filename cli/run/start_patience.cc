#include "cli/run/start_patience.h"

#include <utility>

#include "common/log/errc.h"
#include "common/observe/log.h"

namespace godwit::cli::run {
namespace {

constexpr observe::Logger kLog{"process"};

}  // namespace

StartPatience::StartPatience(const Clock& clock, std::chrono::milliseconds timeout, Wait wait)
    : clock_(clock), timeout_(timeout), wait_(std::move(wait)), begun_(clock.instant()) {}

StartPatience::Verdict StartPatience::judge(const Error& error) {
  if (error.code != log::Errc::kUnavailable) return Verdict::kAnswered;
  const Duration waited = clock_.instant() - begun_;
  if (waited >= timeout_) return Verdict::kAnswered;
  kLog.warning(
      "brokers do not answer; asking again",
      {{"problem", error}, {"waited_ms", waited}, {"startup_timeout_ms", Duration(timeout_)}});
  return wait_(error.to_string()) ? Verdict::kEnd : Verdict::kAskAgain;
}

}  // namespace godwit::cli::run
