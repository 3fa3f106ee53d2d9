#include "sender/role.h"

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "common/async/gate.h"
#include "common/async/shard.h"
#include "common/log/log.h"
#include "common/net/tls.h"
#include "common/observe/log.h"
#include "common/record/keys.h"
#include "common/record/records.h"
#include "sender/errc.h"
#include "sender/parked_index.h"
#include "sender/partition_owner.h"

namespace godwit::sender {

namespace {

using log::PartitionId;
using log::Topic;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr observe::Logger kLog{"sender"};
constexpr Duration kStopWait = seconds{2};  // for open transactions, when nobody drained before
constexpr Duration kSummaryWait = seconds{5};

// `!position` says how far its topics were finished when it was written, with what was finished beyond.
std::optional<log::Offset> kept_position(Topic topic, const log::Table& retries) {
  const auto value = retries.get(record::kPositionKey);
  if (!value || !*value) return std::nullopt;
  const auto finished = record::decode_finished_positions(**value);
  if (!finished) return std::nullopt;
  for (const auto& at : finished->topics()) {
    if (at.topic() == static_cast<std::uint32_t>(topic)) return at.next();
  }
  return std::nullopt;
}

// Waits for a number of answers from shards, for a thread that is none.
class Latch {
 public:
  explicit Latch(std::size_t count) : count_(count) {}
  void arrive() {
    const std::lock_guard lock(mutex_);
    if (--count_ == 0) done_.notify_all();
  }
  bool wait_for(Duration bound) {
    std::unique_lock lock(mutex_);
    return done_.wait_for(lock, bound, [this] { return count_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable done_;
  std::size_t count_;
};

// The partitions of this process, each on its shard.
class Partitions final : public log::GroupListener {
 public:
  Partitions(const role::RoleContext& context, const Config& config,
             std::optional<net::Address> capture, control::ReturnPath return_path,
             std::shared_ptr<net::TlsClientContext> tls)
      : context_(context),
        config_(config),
        routes_(config.static_routes()),
        return_path_(std::move(return_path)),
        tls_(std::move(tls)),
        metrics_(context.metrics),
        spare_room_(context.log, context.clock),
        content_budget_(config.content_memory, context.metrics) {
    for (std::size_t i = 0; i < context.shards.size(); ++i) {
      auto corner = std::make_unique<Corner>();
      corner->random = std::make_unique<SeededRandom>(system_random().next());
      corner->environment = std::make_unique<Environment>(Environment{context.shards.at(i),
                                                                      context.pool,
                                                                      context.log,
                                                                      context.clock,
                                                                      *corner->random,
                                                                      context.control,
                                                                      context.resolver,
                                                                      *tls_,
                                                                      context.connector,
                                                                      config_,
                                                                      routes_,
                                                                      capture,
                                                                      context.node,
                                                                      metrics_,
                                                                      spare_room_,
                                                                      content_budget_,
                                                                      ended_attempts_,
                                                                      process_,
                                                                      context.poison.at(i),
                                                                      return_path_});
      corners_.push_back(std::move(corner));
    }
  }

  void assigned(std::shared_ptr<log::Ownership> ownership) override {
    const PartitionId partition = ownership->partition();
    Environment& environment = environment_of(partition);
    async::Gate::Pass pass = posts_.try_enter();
    if (!pass) return;
    {
      const std::lock_guard lock(mutex_);
      ++known_;
    }
    environment.shard.post(
        [this, &environment, pass = std::move(pass), ownership = std::move(ownership)]() mutable {
          begin(environment, std::move(ownership));
        });
  }

  void revoked(PartitionId partition, std::move_only_function<void()> released) override {
    release(partition, context_.clock.instant() + config_.drain_wait, false, std::move(released));
  }

  void lost(PartitionId partition) override {
    release(partition, context_.clock.instant(), true, [] {});
  }

  // Every partition stops; what is unfinished stays in the log. Blocks.
  void drain(Instant deadline) {
    std::vector<PartitionId> partitions;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [partition, owner] : owners_) partitions.push_back(partition);
    }
    auto latch = std::make_shared<Latch>(partitions.size());
    if (partitions.empty()) return;
    for (const PartitionId partition : partitions) {
      release(partition, deadline, false, [latch] { latch->arrive(); });
    }
    latch->wait_for(std::max(deadline - context_.clock.instant(), Duration{}) + seconds{20});
  }

  // After the group was left. What was posted to the shards runs first, then what it spawned ends.
  void close() {
    posts_.close_and_wait();
    gate_.close_and_wait();
  }

  [[nodiscard]] std::string problem() const {
    const std::lock_guard lock(mutex_);
    if (known_ == 0) return "no partition yet";
    if (owners_.size() < known_) return "partitions are being opened";
    for (const auto& [partition, owner] : owners_) {
      if (std::string problem = owner->problem(); !problem.empty()) {
        return "partition " + std::to_string(partition) + ": " + problem;
      }
    }
    return {};
  }

  [[nodiscard]] Result<admin::QueueSummary> summary(const admin::QueueQuery& query) {
    struct Answers {
      explicit Answers(std::size_t count) : latch(count) {}
      Latch latch;
      std::mutex mutex;
      std::vector<admin::QueueSummary> parts;
    };
    std::vector<PartitionId> partitions;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [partition, owner] : owners_) partitions.push_back(partition);
    }
    auto answers = std::make_shared<Answers>(partitions.size());
    admin::QueueQuery whole = query;
    whole.rows_max = ~0U;  // a row may be large only in the sum
    for (const PartitionId partition : partitions) {
      async::Gate::Pass pass = posts_.try_enter();
      if (!pass) return fail(Errc::kBusy, "the role is stopping");
      environment_of(partition).shard.post(
          [this, pass = std::move(pass), partition, answers, whole] {
            if (PartitionOwner* owner = find(partition)) {
              admin::QueueSummary part = owner->summary(whole);
              const std::lock_guard lock(answers->mutex);
              answers->parts.push_back(std::move(part));
            }
            answers->latch.arrive();
          });
    }
    if (!partitions.empty() && !answers->latch.wait_for(kSummaryWait)) {
      return fail(Errc::kBusy, "a shard did not answer in time");
    }
    const std::lock_guard lock(answers->mutex);
    return admin::merge(answers->parts, query.rows_max);
  }

 private:
  struct Corner {
    std::unique_ptr<SeededRandom> random;
    std::unique_ptr<Environment> environment;
  };

  Environment& environment_of(PartitionId partition) {
    return *corners_[partition % corners_.size()]->environment;
  }
  // On the partition's shard only: that is where owners come and go.
  PartitionOwner* find(PartitionId partition) {
    const std::lock_guard lock(mutex_);
    const auto at = owners_.find(partition);
    return at == owners_.end() ? nullptr : at->second.get();
  }

  // What an owner before it in this process has not committed comes first: it has to end.
  void begin(Environment& environment, std::shared_ptr<log::Ownership> ownership) {
    const PartitionId partition = ownership->partition();
    PartitionOwner* started = nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (const auto ending = ending_.find(partition); ending != ending_.end()) {
        ending->second = std::move(ownership);
        return;
      }
      auto& owner = owners_[partition];
      owner = std::make_unique<PartitionOwner>(environment, std::move(ownership));
      started = owner.get();
    }
    started->start();
  }

  // The ownership that waits for its predecessor's end was taken back.
  [[nodiscard]] bool forget_waiting(PartitionId partition) {
    const std::lock_guard lock(mutex_);
    const auto ending = ending_.find(partition);
    if (ending == ending_.end() || !ending->second) return false;
    ending->second.reset();
    --known_;
    return true;
  }

  void release(PartitionId partition, Instant deadline, bool lost,
               std::move_only_function<void()> released) {
    Environment& environment = environment_of(partition);
    async::Gate::Pass pass = posts_.try_enter();
    if (!pass) return released();
    environment.shard.post([this, &environment, pass = std::move(pass), partition, deadline, lost,
                            released = std::move(released)]() mutable {
      std::unique_ptr<PartitionOwner> owner;
      if (forget_waiting(partition)) return released();
      {
        const std::lock_guard lock(mutex_);
        const auto at = owners_.find(partition);
        if (at != owners_.end()) {
          owner = std::move(at->second);
          owners_.erase(at);
          ending_[partition] = nullptr;
          --known_;
        }
      }
      if (!owner) return released();
      if (lost) owner->lost();
      environment.shard.spawn(end(std::move(owner), deadline, std::move(released)), gate_);
    });
  }

  async::Task<void> end(std::unique_ptr<PartitionOwner> owner, Instant deadline,
                        std::move_only_function<void()> released) {
    const PartitionId partition = owner->partition();
    co_await owner->stop(deadline);
    owner.reset();
    std::shared_ptr<log::Ownership> next;
    {
      const std::lock_guard lock(mutex_);
      next = std::move(ending_.extract(partition).mapped());
    }
    if (next) begin(environment_of(partition), std::move(next));
    released();
  }

  const role::RoleContext context_;
  const Config config_;
  const control::StaticRoutes routes_;
  const control::ReturnPath return_path_;
  std::shared_ptr<net::TlsClientContext> tls_;
  SenderMetrics metrics_;
  SpareRoom spare_room_;
  ContentBudget content_budget_;
  EndedAttempts ended_attempts_;
  const std::string process_{MessageId::generate(system_clock(), system_random()).octets()};
  std::vector<std::unique_ptr<Corner>> corners_;
  async::Gate posts_;  // on their way to a shard
  async::Gate gate_;   // partitions that end
  mutable std::mutex mutex_;
  std::map<PartitionId, std::unique_ptr<PartitionOwner>> owners_;
  // Owners that end, each with the ownership that waits for it; mostly none does.
  std::map<PartitionId, std::shared_ptr<log::Ownership>> ending_;
  std::size_t known_ = 0;  // assigned and not released
};

class SenderRole final : public Sender {
 public:
  SenderRole(const role::RoleContext& context, const Config& config,
             std::optional<net::Address> capture, control::ReturnPath return_path)
      : context_(context),
        config_(config),
        capture_(std::move(capture)),
        return_path_(std::move(return_path)) {}
  ~SenderRole() override { stop(); }

  [[nodiscard]] std::string_view name() const override { return "sender"; }

  [[nodiscard]] Result<void> start() override {
    for (const RouteConfig& route : config_.routes) {
      if (route.to == "capture" && !capture_) {
        return fail(Errc::kNoCapture, "route for " + route.domain);
      }
    }
    TRY(auto tls, net::TlsClientContext::create({.ca_file = config_.tls_ca_file}));
    partitions_ =
        std::make_shared<Partitions>(context_, config_, capture_, return_path_, std::move(tls));
    log::GroupSpec spec{.name = "sender",
                        .subscribed = Topic::kOutbound,
                        .followed = {Topic::kOutboundUrgent},
                        .tables = {Topic::kRetries},
                        .indexer = index_retries,
                        .indexer_version = kParkedIndexVersion,
                        .kept_position = kept_position};
    TRY(group_, context_.log.join(std::move(spec), partitions_));
    return {};
  }

  [[nodiscard]] std::string problem() const override {
    if (!group_) return "not started";
    return draining_ ? "draining" : partitions_->problem();
  }

  void drain(Instant deadline) override {
    draining_ = true;
    if (!partitions_) return;
    kLog.info("sender drains");
    partitions_->drain(deadline);
  }

  void stop() override {
    if (!partitions_) return;
    if (!draining_.exchange(true)) partitions_->drain(context_.clock.instant() + kStopWait);
    if (group_) group_->stop(milliseconds(seconds{30}));
    group_.reset();
    partitions_->close();
    partitions_.reset();
  }

  [[nodiscard]] Result<admin::QueueSummary> summary(const admin::QueueQuery& query) override {
    if (!partitions_) return admin::QueueSummary{};
    return partitions_->summary(query);
  }

 private:
  const role::RoleContext context_;
  const Config config_;
  const std::optional<net::Address> capture_;
  const control::ReturnPath return_path_;
  std::shared_ptr<Partitions> partitions_;
  std::unique_ptr<log::Group> group_;
  std::atomic<bool> draining_{false};
};

}  // namespace

std::unique_ptr<Sender> make_sender(const role::RoleContext& context, const Config& config,
                                    std::optional<net::Address> capture,
                                    control::ReturnPath return_path) {
  return std::make_unique<SenderRole>(context, config, std::move(capture), std::move(return_path));
}

}  // namespace godwit::sender
