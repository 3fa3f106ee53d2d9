#include "sender/owned_partitions.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <utility>

#include "common/async/shard.h"
#include "common/base/ids.h"
#include "common/base/random.h"
#include "sender/errc.h"

namespace godwit::sender {
namespace {

using log::PartitionId;
using std::chrono::seconds;

constexpr Duration kSummaryWait = seconds{5};
constexpr Duration kScanWait = seconds{60};        // of the parked deliveries of each partition
constexpr Duration kLastCommitWait = seconds{20};  // after the deadline of a drain

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

}  // namespace

struct OwnedPartitions::OnShard {
  explicit OnShard(const std::function<Environment(Random&)>& make) : environment(make(random)) {}
  SeededRandom random{system_random().next()};
  Environment environment;
};

OwnedPartitions::OwnedPartitions(const role::RoleContext& context, const Config& config,
                                 std::optional<net::Address> capture,
                                 control::ReturnPath return_path,
                                 std::shared_ptr<net::TlsClientContext> tls)
    : context_(context),
      config_(config),
      routes_(config.static_routes()),
      return_path_(std::move(return_path)),
      tls_(std::move(tls)),
      metrics_(context.metrics, context.clock, routes_, config_.metric_domains_max),
      spare_room_(context.log, context.clock),
      content_budget_(config.content_memory, context.metrics),
      process_(MessageId::generate(system_clock(), system_random()).octets()) {
  for (std::size_t i = 0; i < context.shards.size(); ++i) {
    shards_.push_back(std::make_unique<OnShard>(
        [&](Random& random) { return environment_on(i, random, capture); }));
  }
}

OwnedPartitions::~OwnedPartitions() = default;

Environment OwnedPartitions::environment_on(std::size_t shard, Random& random,
                                            const std::optional<net::Address>& capture) {
  return {.shard = context_.shards.at(shard),
          .pool = context_.pool,
          .log = context_.log,
          .clock = context_.clock,
          .random = random,
          .control = context_.control,
          .resolver = context_.resolver,
          .tls = *tls_,
          .connector = context_.connector,
          .config = config_,
          .routes = routes_,
          .capture = capture,
          .node = context_.node,
          .metrics = metrics_,
          .spare_room = spare_room_,
          .content_budget = content_budget_,
          .ended_attempts = ended_attempts_,
          .process = process_,
          .hand = context_.poison.at(shard),
          .return_path = return_path_,
          .commands = context_.commands};
}

void OwnedPartitions::assigned(std::shared_ptr<log::Ownership> ownership) {
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

void OwnedPartitions::revoked(PartitionId partition, std::move_only_function<void()> released) {
  release(partition, context_.clock.instant() + config_.drain_wait, false, std::move(released));
}

void OwnedPartitions::lost(PartitionId partition) {
  release(partition, context_.clock.instant(), true, [] {});
}

void OwnedPartitions::drain(Instant deadline) {
  const std::vector<PartitionId> partitions = this->partitions();
  if (partitions.empty()) return;
  auto latch = std::make_shared<Latch>(partitions.size());
  for (const PartitionId partition : partitions) {
    release(partition, deadline, false, [latch] { latch->arrive(); });
  }
  latch->wait_for(std::max(deadline - context_.clock.instant(), Duration{}) + kLastCommitWait);
}

void OwnedPartitions::close() {
  posts_.close_and_wait();  // what was posted runs first, then what it spawned ends
  gate_.close_and_wait();
}

std::string OwnedPartitions::problem() const {
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

Result<admin::QueueSummary> OwnedPartitions::summary(const admin::QueueQuery& query) {
  struct Answers {
    explicit Answers(std::size_t count) : latch(count) {}
    Latch latch;
    std::mutex mutex;
    std::vector<admin::QueueSummary> parts;
  };
  const std::vector<PartitionId> partitions = this->partitions();
  auto answers = std::make_shared<Answers>(partitions.size());
  admin::QueueQuery whole = query;
  whole.rows_max = ~0U;  // a row may be large only in the sum
  for (const PartitionId partition : partitions) {
    async::Gate::Pass pass = posts_.try_enter();
    if (!pass) return fail(Errc::kBusy, "the role is stopping");
    environment_of(partition).shard.post([this, pass = std::move(pass), partition, answers, whole] {
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

template <class Answer>
Result<std::vector<Answer>> OwnedPartitions::ask_all(Ask<Answer> ask) {
  struct Answers {
    explicit Answers(std::size_t count) : latch(count) {}
    Latch latch;
    std::mutex mutex;
    std::vector<Answer> parts;
    std::optional<Error> error;
  };
  // Arrives with its end, whether there was an answer or not.
  struct Ticket {
    explicit Ticket(std::shared_ptr<Answers> of) : answers(std::move(of)) {}
    Ticket(Ticket&&) noexcept = default;
    ~Ticket() {
      if (answers) answers->latch.arrive();
    }
    std::shared_ptr<Answers> answers;
  };
  const std::vector<PartitionId> partitions = this->partitions();
  auto answers = std::make_shared<Answers>(partitions.size());
  for (const PartitionId partition : partitions) {
    async::Gate::Pass pass = posts_.try_enter();
    if (!pass) return fail(Errc::kBusy, "the role is stopping");
    environment_of(partition).shard.post(
        [this, pass = std::move(pass), partition, ask, ticket = Ticket(answers)]() mutable {
          PartitionOwner* owner = find(partition);
          if (owner == nullptr) return;
          ask(*owner, [ticket = std::move(ticket)](Result<Answer> part) {
            const std::lock_guard lock(ticket.answers->mutex);
            if (part) {
              ticket.answers->parts.push_back(*std::move(part));
            } else {
              ticket.answers->error = std::move(part).error();
            }
          });
        });
  }
  if (!partitions.empty() && !answers->latch.wait_for(kScanWait))
    return fail(Errc::kBusy, "a partition did not answer in time");
  const std::lock_guard lock(answers->mutex);
  if (answers->error) return fail(*answers->error);
  return std::move(answers->parts);
}

Result<admin::DeliveryList> OwnedPartitions::deliveries(const commands::Filter& filter,
                                                        std::size_t rows_max) {
  TRY(std::vector<admin::DeliveryList> parts,
      ask_all<admin::DeliveryList>([filter, rows_max](PartitionOwner& owner, auto answered) {
        owner.list(filter, rows_max, std::move(answered));
      }));
  return admin::merge(std::move(parts), rows_max);
}

Result<std::optional<admin::DeliveryDetails>> OwnedPartitions::delivery(const DeliveryId& id) {
  using Found = std::optional<admin::DeliveryDetails>;
  TRY(std::vector<Found> parts, ask_all<Found>([id](PartitionOwner& owner, auto answered) {
        owner.show(id, std::move(answered));
      }));
  for (Found& part : parts) {
    if (part) return std::move(part);
  }
  return std::nullopt;
}

std::vector<PartitionId> OwnedPartitions::partitions() const {
  const std::lock_guard lock(mutex_);
  std::vector<PartitionId> partitions;
  partitions.reserve(owners_.size());
  for (const auto& [partition, owner] : owners_) partitions.push_back(partition);
  return partitions;
}

Environment& OwnedPartitions::environment_of(PartitionId partition) {
  return shards_[partition % shards_.size()]->environment;
}

// On the partition's shard only: that is where owners come and go.
PartitionOwner* OwnedPartitions::find(PartitionId partition) {
  const std::lock_guard lock(mutex_);
  const auto at = owners_.find(partition);
  return at == owners_.end() ? nullptr : at->second.get();
}

// What an owner before it in this process has not committed comes first: it has to end.
void OwnedPartitions::begin(Environment& environment, std::shared_ptr<log::Ownership> ownership) {
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
bool OwnedPartitions::forget_waiting(PartitionId partition) {
  const std::lock_guard lock(mutex_);
  const auto ending = ending_.find(partition);
  if (ending == ending_.end() || !ending->second) return false;
  ending->second.reset();
  --known_;
  return true;
}

void OwnedPartitions::release(PartitionId partition, Instant deadline, bool lost,
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

async::Task<void> OwnedPartitions::end(std::unique_ptr<PartitionOwner> owner, Instant deadline,
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

}  // namespace godwit::sender
