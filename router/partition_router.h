#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/async/event.h"
#include "common/async/shard.h"
#include "common/base/clock.h"
#include "common/control/snapshot.h"
#include "common/control/static_route.h"
#include "common/log/log.h"
#include "common/poison/slots.h"
#include "common/role/partitions.h"
#include "common/role/record_feed.h"
#include "common/role/standstill.h"
#include "router/config.h"
#include "router/plan.h"
#include "router/site_finder.h"

namespace godwit::router {

// What all partitions of a router share. Everything outlives them.
struct PartitionContext {
  async::Shard& shard;
  const control::View& control;
  const control::StaticRoutes& routes;
  const Clock& clock;
  const PlanContext& plan;
  const Config& config;
  SiteFinder& sites;
  RouterMetrics& metrics;
  poison::Slot& hand;  // the shard's
  log::Log& log;       // for the content of what goes to `dead`
  log::Producer& bodies;
};

// Routes what is accepted in one partition, for as long as this process owns it.
//
// Order       urgent mail is taken before other mail. Of each class messages are committed in the order they were
//             accepted: a position moves over a message in the commit that holds its deliveries, never before.
//             Look-ups of many messages are under way at a time, so a slow one delays nobody by more than the
//             patience of SiteConfig. Content that goes to `bodies` is acknowledged there before the commit
// Commits     one at a time: a later one must not move a position past one that failed
// Failure     a commit that was not written is repeated, at first after 100 ms, then less often; a record that
//             cannot be read, or killed the process three times (common/poison), goes to `dead`; a missing record
//             stops the partition (problem())
// Bounds      WindowConfig, for each class; when it is full nothing is taken
// Threads     belongs to its shard; problem() may be called from any thread
// Lifecycle   run() until stop() (after the commit under way), drain() (when nothing is in hand any more) or the end
//             of the ownership (at once)
class PartitionRouter final : public role::PartitionWork,
                              public std::enable_shared_from_this<PartitionRouter> {
 public:
  PartitionRouter(std::shared_ptr<log::Ownership> ownership, const PartitionContext& context);
  ~PartitionRouter() override;
  PartitionRouter(const PartitionRouter&) = delete;
  PartitionRouter& operator=(const PartitionRouter&) = delete;

  [[nodiscard]] async::Task<void> run() override;

  void stop() override;
  void drain() override;
  void lose() override;

  // Nothing is in hand.
  [[nodiscard]] bool idle() const;
  [[nodiscard]] std::string problem() const override;

 private:
  // How far a record is that was read and whose outcome is not committed.
  struct Progress {
    log::Record record;
    std::string cause;  // why it is dead; empty: it is not
    std::uint32_t crashes = 0;
    std::vector<DomainGroup> groups;
    PoolName pool;
    std::size_t unknown_sites = 0;
    bool moving = false;  // its content, to `bodies`
    Instant patience_end;
    Timestamp routed;  // when all was known: the same in a repeated commit
    std::size_t bytes = 0;
    bool whole = false;  // of dead ones: the record has what it refers to in it

    [[nodiscard]] bool ready() const {
      return cause.empty() ? unknown_sites == 0 && !moving : whole;
    }
  };
  struct InWork : Progress {
    record::Message message;  // what is in the record, unless it is dead
  };
  struct Intake {
    role::RecordFeed feed;
    std::deque<std::shared_ptr<InWork>> window;
    std::size_t bytes = 0;
    std::size_t committing = 0;  // from the front of the window
  };

  [[nodiscard]] log::RecordPosition position_of(const Intake& intake, const InWork& work) const;
  [[nodiscard]] bool has_room(const Intake& intake) const;

  [[nodiscard]] std::shared_ptr<InWork> new_work();
  void finished(std::shared_ptr<InWork> work);

  bool take(Intake& intake);
  void reading_failed(const Error& error);
  void accept_lost(Intake& intake, const role::RecordFeed::Lost& lost);
  // Puts the content into the records that go to `dead`.
  [[nodiscard]] async::Task<void> make_dead_whole(Intake& intake);
  void accept(Intake& intake, log::Record record, const control::Snapshot& control);
  void decode(const Intake& intake, InWork& work, const control::Snapshot& control);
  // True: the process died too often in this step on the record, it is dead now.
  bool refused(InWork& work, const poison::Work& step);
  void find_sites(const std::shared_ptr<InWork>& work, const control::Snapshot& control);
  void move_content(const std::shared_ptr<InWork>& work);
  void content_moved(const std::shared_ptr<InWork>& work, const Result<log::Written>& written);
  void move_again();
  void end_patience();
  [[nodiscard]] Instant next_deadline() const;

  bool commit();
  void add_to(log::Batch& batch, Intake& intake, const control::LaneMap& lanes);
  // Puts what becomes of a message behind what is in the batch, as long as it has room for it; the octets of that, as
  // log::bytes_in_batch. A message that cannot be routed is dead then.
  [[nodiscard]] std::size_t route(const Intake& intake, InWork& work, const control::LaneMap& lanes,
                                  log::Batch& batch);
  void committed(const Result<log::Written>& written);

  const std::shared_ptr<log::Ownership> ownership_;
  const PartitionContext context_;
  Intake urgent_;
  Intake bulk_;
  async::Event wake_;
  bool stopping_ = false;
  bool draining_ = false;
  bool lost_ = false;
  bool any_dead_ = false;  // that is not whole yet
  bool halted_ = false;    // a record is missing: an operator has to decide
  bool committing_ = false;
  std::uint64_t batch_messages_ = 0, batch_deliveries_ = 0, batch_recipients_ = 0;
  std::size_t batch_bytes_ = 0;
  Instant commit_started_;
  Instant retry_at_;  // not before
  Duration retry_delay_;
  std::vector<std::shared_ptr<InWork>> unmoved_;  // `bodies` did not take their content
  Instant move_at_;                               // not before
  Duration move_delay_;
  Planner planner_{context_.plan};
  std::vector<std::shared_ptr<InWork>> spare_;  // finished; for the memory of their messages
  role::Standstill standstill_;
};

}  // namespace godwit::router
