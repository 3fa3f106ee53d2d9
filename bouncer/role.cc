#include "bouncer/role.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "bouncer/metrics.h"
#include "bouncer/partition_bouncer.h"
#include "common/async/gate.h"
#include "common/role/partitions.h"

namespace godwit::bouncer {
namespace {

constexpr std::chrono::seconds kRevocationMax{5};  // for a commit under way

class Bouncer final : public role::Role {
 public:
  Bouncer(const role::RoleContext& context, control::ReturnPath return_path)
      : context_(context), return_path_(std::move(return_path)), metrics_(context.metrics) {}
  ~Bouncer() override { stop(); }

  [[nodiscard]] std::string_view name() const override { return "bouncer"; }

  [[nodiscard]] Result<void> start() override {
    partitions_ = std::make_shared<role::Partitions>(
        context_.shards, gate_,
        [this](std::shared_ptr<log::Ownership> ownership, std::size_t shard) {
          return std::make_shared<PartitionBouncer>(
              std::move(ownership),
              PartitionContext{
                  .shard = context_.shards.at(shard),
                  .log = context_.log,
                  .control = context_.control,
                  .return_path = return_path_,
                  .clock = context_.clock,
                  .node = context_.node,
                  .metrics = metrics_,
                  .hand = context_.poison.at(shard),
                  .accepted_partitions = context_.log.partitions(log::Topic::kAccepted),
                  .event_partitions = context_.log.partitions(log::Topic::kEvents)});
        });
    TRY(group_, context_.log.join({.name = "bouncer",
                                   .subscribed = log::Topic::kReports,
                                   .followed = {log::Topic::kEvents}},
                                  partitions_));
    return {};
  }

  [[nodiscard]] std::string problem() const override {
    return group_ == nullptr ? "not started" : partitions_->problem();
  }

  void drain(Instant deadline) override {
    if (partitions_)
      partitions_->drain(std::max<Duration>(deadline - context_.clock.instant(), Duration::zero()));
  }

  void stop() override {
    if (group_) group_->stop(kRevocationMax);
    gate_.close_and_wait();
  }

 private:
  const role::RoleContext context_;
  const control::ReturnPath return_path_;
  BouncerMetrics metrics_;
  async::Gate gate_;
  std::shared_ptr<role::Partitions> partitions_;
  std::unique_ptr<log::Group> group_;
};

}  // namespace

std::unique_ptr<role::Role> make_bouncer(const role::RoleContext& context,
                                         control::ReturnPath return_path) {
  return std::make_unique<Bouncer>(context, std::move(return_path));
}

}  // namespace godwit::bouncer
