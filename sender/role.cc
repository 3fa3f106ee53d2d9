#include "sender/role.h"

#include <atomic>
#include <optional>
#include <utility>

#include "common/commands/command_set.h"
#include "common/log/log.h"
#include "common/net/tls.h"
#include "common/observe/log.h"
#include "common/record/keys.h"
#include "common/record/records.h"
#include "sender/errc.h"
#include "sender/owned_partitions.h"
#include "sender/parked_index.h"

namespace godwit::sender {

namespace {

using log::Topic;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr observe::Logger kLog{"sender"};
constexpr Duration kStopWait = seconds{2};  // for open transactions, when nobody drained before

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

class SenderRole final : public Sender {
 public:
  SenderRole(const role::RoleContext& context, const Config& config,
             std::optional<net::Address> capture, control::ReturnPath return_path)
      : context_(context),
        config_(config),
        capture_(capture),
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
    partitions_ = std::make_shared<OwnedPartitions>(context_, config_, capture_, return_path_,
                                                    std::move(tls));
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
    if (draining_) return "draining";
    if (std::string problem = context_.commands.problem(); !problem.empty()) return problem;
    return partitions_->problem();
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

  [[nodiscard]] Result<admin::DeliveryList> deliveries(const commands::Filter& filter,
                                                       std::size_t rows_max) override {
    if (!partitions_) return admin::DeliveryList{};
    return partitions_->deliveries(filter, rows_max);
  }
  [[nodiscard]] Result<std::optional<admin::DeliveryDetails>> delivery(
      const DeliveryId& id) override {
    if (!partitions_) return std::nullopt;
    return partitions_->delivery(id);
  }

 private:
  const role::RoleContext context_;
  const Config config_;
  const std::optional<net::Address> capture_;
  const control::ReturnPath return_path_;
  std::shared_ptr<OwnedPartitions> partitions_;
  std::unique_ptr<log::Group> group_;
  std::atomic<bool> draining_{false};
};

}  // namespace

std::unique_ptr<Sender> make_sender(const role::RoleContext& context, const Config& config,
                                    std::optional<net::Address> capture,
                                    control::ReturnPath return_path) {
  return std::make_unique<SenderRole>(context, config, capture, std::move(return_path));
}

}  // namespace godwit::sender
