#include "sender/journal_writer.h"

#include <algorithm>
#include <utility>

#include "common/async/completion.h"
#include "common/async/sleep.h"
#include "common/log/log.h"
#include "common/observe/log.h"

namespace godwit::sender {

namespace {

constexpr observe::Logger kLog{"sender"};
constexpr Duration kLook = std::chrono::seconds{1};
constexpr int kRenewalsPerLease = 5;
constexpr Duration kCommitRetry = std::chrono::milliseconds{200};

}  // namespace

JournalWriter::JournalWriter(Environment& environment, log::Ownership& ownership,
                             PartitionLife& life, Journal& journal, LaneBook& lanes,
                             Listener listener)
    : env_(environment),
      ownership_(ownership),
      life_(life),
      journal_(journal),
      lanes_(lanes),
      listener_(std::move(listener)),
      interval_(ownership.gathers_commits() ? Duration{} : environment.config.commit_interval),
      lease_(ownership.lease()),
      renewed_(environment.clock.instant()) {}

bool JournalWriter::may_begin() const {
  if (!may_send()) return false;
  return !commit_sent_ || env_.clock.instant() - *commit_sent_ < env_.config.commit_age_max;
}

bool JournalWriter::may_send() const {
  return !lease_ || env_.clock.instant() - renewed_ < *lease_;
}

bool JournalWriter::wants_renewal(Instant last) const {
  return lease_ && env_.clock.instant() - last >= *lease_ / kRenewalsPerLease;
}

async::Task<void> JournalWriter::run() {
  Instant last = env_.clock.instant() - interval_;
  bool states_flushed = false;
  while (!life_.lost()) {
    const bool ending = life_.flushing() && life_.settled();
    if (ending && !std::exchange(states_flushed, true)) {
      lanes_.save_states(true);
      listener_.ending();
    }
    std::optional<Journal::Sealed> sealed;
    const Instant next = last + interval_;
    const bool more = journal_.size() > 0;
    if (life_.flushing() || env_.clock.instant() >= next) {
      if (!life_.flushing()) lanes_.save_states(false);
      sealed = journal_.seal();
    }
    if (!sealed && !ending && wants_renewal(last)) sealed.emplace();
    if (sealed) {
      last = env_.clock.instant();
      if (!co_await commit(*sealed)) co_return;
      continue;
    }
    if (ending) co_return;
    const Duration idle = lease_ ? std::min<Duration>(kLook, *lease_ / kRenewalsPerLease) : kLook;
    co_await life_.wake.commit.wait(more ? next : env_.clock.instant() + idle);
  }
}

// Until it is written; false when it never will be.
async::Task<bool> JournalWriter::commit(Journal::Sealed& sealed) {
  const Instant began = env_.clock.instant();
  commit_sent_ = began;
  bool paused = false;
  unacknowledged_ = std::move(sealed.batch);
  entries_flying_ = sealed.entries;
  if (!co_await write(*unacknowledged_, paused)) co_return false;
  unacknowledged_.reset();
  entries_written_ += std::exchange(entries_flying_, 0);
  for (async::Event* event : std::exchange(waiting_, {})) event->notify();
  const bool was_late = !may_begin();
  commit_sent_.reset();
  renewed_ = began;
  env_.metrics.committed(sealed.entries, env_.clock.instant() - began);
  journal_.committed(sealed);
  listener_.acknowledged(sealed);
  if (paused) {
    kLog.info("the log takes commits again", {{"partition", ownership_.partition()}});
    life_.set_problem({});
  }
  if (paused || was_late) lanes_.notify_all();
  co_return true;
}

async::Task<bool> JournalWriter::written() {
  const std::uint64_t all = entries_written_ + entries_flying_ + journal_.size();
  async::Event event;
  const async::StopSignal::Callback on_drain(life_.drained(), [&event] { event.notify(); });
  while (entries_written_ < all && !life_.draining()) {
    waiting_.push_back(&event);
    co_await event.wait();
    std::erase(waiting_, &event);
  }
  co_return entries_written_ >= all && !life_.draining();
}

async::Task<bool> JournalWriter::write(const log::Batch& batch, bool& paused) {
  for (;;) {
    const auto written = co_await async::completion<Result<log::Written>>(
        [&](auto done) { ownership_.commit(log::Batch(batch), std::move(done)); });
    if (life_.lost()) co_return false;
    if (written) co_return true;
    env_.metrics.commit_refused();
    const std::error_code code = written.error().code;
    if (code != log::Errc::kNoSpace && code != log::Errc::kUnavailable) {
      kLog.error("a commit failed for good, the partition stops",
                 {{"partition", ownership_.partition()}, {"error", written.error()}});
      listener_.failed("stopped: " + written.error().to_string());
      co_return false;
    }
    if (!std::exchange(paused, true)) {
      kLog.warning("the log does not take a commit; delivery pauses",
                   {{"partition", ownership_.partition()}, {"error", written.error()}});
      life_.set_problem("the log does not take commits: " + written.error().to_string());
    }
    co_await async::sleep_for(kCommitRetry);
    if (life_.lost()) co_return false;
  }
}

}  // namespace godwit::sender
