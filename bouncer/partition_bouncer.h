#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bouncer/attribution.h"
#include "bouncer/metrics.h"
#include "bouncer/notification.h"
#include "common/async/event.h"
#include "common/async/shard.h"
#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/control/return_path.h"
#include "common/control/snapshot.h"
#include "common/log/log.h"
#include "common/poison/slots.h"
#include "common/role/partitions.h"
#include "common/role/record_feed.h"
#include "common/role/standstill.h"

namespace godwit::bouncer {

// What all partitions of a bouncer share. Everything outlives them.
struct PartitionContext {
  async::Shard& shard;
  log::Log& log;
  const control::View& control;
  const control::ReturnPath& return_path;
  const Clock& clock;
  const std::string& node;
  BouncerMetrics& metrics;
  poison::Slot& hand;  // the shard's
  log::PartitionId accepted_partitions = 1;
  log::PartitionId event_partitions = 1;
};

// Reads one partition of `reports` and of `events`, for as long as this process owns it.
//
// reports     a late bounce or a complaint becomes an event, in one commit with the position
// events      those that carry a Notice become notifications in `accepted`, in one commit with the
//             position; the rest are passed over without being decoded
// Commits     one at a time, in the order of each topic; a position alone, when nothing follows
//             from what it passes, waits for kIdleCommit at most
// Failure     a commit that was not written is repeated, at first after 100 ms, then less often; a
//             record that cannot be read, or killed the process three times (common/poison), goes
//             to `dead`; a missing record stops the partition (problem())
// Bounds      kTakeRecordsMax records and kTakeBytesMax octets of each topic in memory
// Threads     belongs to its shard; problem() may be called from any thread
// Lifecycle   run() until stop() or lose(); a commit under way is waited for
class PartitionBouncer final : public role::PartitionWork,
                               public std::enable_shared_from_this<PartitionBouncer> {
 public:
  static constexpr std::size_t kTakeRecordsMax = 512;
  static constexpr std::size_t kTakeBytesMax = 4 << 20;
  static constexpr Duration kIdleCommit = std::chrono::seconds(3);

  PartitionBouncer(std::shared_ptr<log::Ownership> ownership, const PartitionContext& context);
  PartitionBouncer(const PartitionBouncer&) = delete;
  PartitionBouncer& operator=(const PartitionBouncer&) = delete;

  [[nodiscard]] async::Task<void> run() override;
  void stop() override;
  void drain() override { stop(); }  // what was read and not committed is read again
  void lose() override;
  [[nodiscard]] std::string problem() const override;

 private:
  struct Intake {
    role::RecordFeed feed;
    std::deque<log::Record> records;  // read and not committed
    log::Offset passed =
        0;  // everything below is finished; not committed while ahead of `committed`
    log::Offset committed = 0;
  };
  // What one commit holds.
  struct Batch {
    log::Batch log;
    std::size_t bytes = 0;
    std::size_t reports = 0;  // records it finishes
    std::size_t events = 0;

    [[nodiscard]] bool only_passes() const { return log.appends.empty() && log.changes.empty(); }
  };

  bool take(Intake& intake);
  void reading_failed(const Error& error);
  [[nodiscard]] bool ended() const { return stopping_ || lost_; }

  [[nodiscard]] async::Task<void> add_reports(Batch& batch);
  [[nodiscard]] Result<record::Message> decode(const log::Record& record) const;
  [[nodiscard]] async::Task<Result<std::string>> load(const record::Message& message);
  Result<void> add_report(Batch& batch, const record::Message& message, std::string_view content,
                          const log::Record& record);
  void add_events(Batch& batch);
  // The event when somebody is to be told about it.
  [[nodiscard]] Result<std::optional<Noticed>> noticed(const log::Record& record) const;
  void add(Batch& batch, log::Append append);
  void bury(Batch& batch, const Intake& intake, const log::Record& record, const Error& error);
  [[nodiscard]] bool full(const Batch& batch) const;
  [[nodiscard]] poison::Work step(const Intake& intake, const log::Record& record) const;

  [[nodiscard]] bool passed_uncommitted() const;
  void finish(Intake& intake, std::size_t count);
  [[nodiscard]] async::Task<void> commit(Batch batch);

  const std::shared_ptr<log::Ownership> ownership_;
  const PartitionContext context_;
  Intake reports_;
  Intake events_;
  async::Event wake_;
  bool stopping_ = false;
  bool lost_ = false;
  bool halted_ = false;  // a record is missing: an operator has to decide
  Instant committed_at_;
  role::Standstill standstill_;
};

}  // namespace godwit::bouncer
