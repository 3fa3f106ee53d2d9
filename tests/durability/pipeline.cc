#include "tests/durability/pipeline.h"

#include <fmt/format.h>

#include <atomic>
#include <utility>

#include "cli/run/archive.h"
#include "common/log/embedded.h"
#include "common/observe/test_sample.h"
#include "ingress/role.h"
#include "router/role.h"

namespace godwit::durability {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// As long as three hundred messages take (WorldClock, Customer): far longer than one waits for the
// log.
constexpr seconds kBodyHold{30};

// Everything is small and soon: what takes days in a process that serves fits into a second.
log::EmbeddedConfig log_config(store::FileSystem& files,
                               const std::shared_ptr<log::Counters>& counters) {
  return {.directory = "/data",
          .partitions = 3,
          .segment_bytes = 1024 * 1024,
          .reserve_segments = 1,
          .reserve_table_bytes = 0,
          .tail_cache_bytes = 256 * 1024,
          .commit_sync_delay_max = milliseconds(10),
          .unreferenced_body_hold = kBodyHold,
          .archive_policy = cli::run::archive_policy(),
          .counters = counters,
          .file_system = &files};
}

sender::Config sender_config(std::uint16_t destination) {
  sender::Config config;
  config.routes = {{.domain = "*", .to = fmt::format("127.0.0.1:{}", destination)}};
  config.retry = {.first = milliseconds(50),
                  .factor = 2,
                  .max = seconds(2),
                  .age = kAge,
                  .jitter = 0.1,
                  .after_unknown = milliseconds(100)};
  config.commit_interval = milliseconds(20);
  config.window = {.records = 64, .patience = milliseconds(20), .lane_share = 8, .parked = 256};
  config.timeouts.quit = milliseconds(200);
  return config;
}

ingress::Config ingress_config() {
  ingress::Config config;
  config.hostname = "mx.example";
  config.smtp = {{.listen = {"127.0.0.1", 0},
                  .kind = ingress::ListenerKind::kRelay,
                  .trusted_networks = {"127.0.0.0/8"}}};
  return config;
}

}  // namespace

class Pipeline::ControlView final : public control::View {
 public:
  ControlView() { publish(control::Rate{.count = 40, .per = seconds(1)}); }
  [[nodiscard]] control::SnapshotPtr current() const override { return current_.load(); }

  void publish(std::optional<control::Rate> slow_rate) {
    auto next = std::make_shared<control::Snapshot>();
    next->version = ++version_;
    next->tenants["default"].name = TenantName("default");
    next->sources["default"].name = SourceName("default");
    next->pools["default"] = {PoolName("default"), {{SourceName("default"), 1}}};
    next->shaping.push_back({.domain = std::string(kSlowDomain), .max_message_rate = slow_rate});
    next->index();
    current_ = std::move(next);
  }

 private:
  std::uint64_t version_ = 0;
  std::atomic<control::SnapshotPtr> current_;
};

Pipeline::Pipeline(const WorldClock& clock)
    : clock_(clock), control_(std::make_unique<ControlView>()) {
  shards_.start();
}

Result<std::unique_ptr<Pipeline>> Pipeline::open(store::FileSystem& files,
                                                 const WorldClock& clock) {
  auto pipeline = std::unique_ptr<Pipeline>(new Pipeline(clock));
  TRY(pipeline->log_, log::open_embedded(log_config(files, pipeline->counters_), clock));
  return pipeline;
}

Result<void> Pipeline::start(std::uint16_t destination) {
  const role::RoleContext context{.shards = shards_,
                                  .pool = pool_,
                                  .log = *log_,
                                  .control = *control_,
                                  .resolver = resolver_,
                                  .clock = clock_,
                                  .metrics = metrics_,
                                  .health = health_,
                                  .poison = poison_,
                                  .node = "node1",
                                  .data_dir = {}};
  const sender::Config sending = sender_config(destination);
  sender_ = sender::make_sender(context, sending);
  router_ = router::make_router(context, {}, sending.static_routes());
  ingress_ = ingress::make_ingress(context, ingress_config(),
                                   {.domain = "bounces.example", .always = false, .keys = nullptr});
  for (role::Role* role :
       {static_cast<role::Role*>(sender_.get()), router_.get(), ingress_.get()}) {
    TRY_VOID(role->start());
  }
  return {};
}

// As Process does it, first what takes mail in.
Pipeline::~Pipeline() {
  if (ingress_) ingress_->stop();
  if (router_) router_->stop();
  if (sender_) sender_->stop();
  ingress_.reset();
  router_.reset();
  sender_.reset();
  if (log_) log_->close();
  pool_.stop();
  shards_.stop();
  log_.reset();
}

void Pipeline::lift_limits() {
  control_->publish(std::nullopt);
}

net::Address Pipeline::address() const {
  return *net::Address::from_text(ingress_->addresses().at(0).address);
}

std::uint64_t Pipeline::throttled_total() {
  return static_cast<std::uint64_t>(
      observe::sample_of(metrics_, "godwit_sender_deliveries_throttled_total").value_or(0));
}

bool Pipeline::idle() {
  const auto behind = [&](std::string_view group, log::Topic topic) {
    for (log::PartitionId p = 0; p < log_->partitions(topic); ++p) {
      if (log_->committed(group, {topic, p}).value_or(0) < log_->end({topic, p})) return true;
    }
    return false;
  };
  for (const auto topic : {log::Topic::kAccepted, log::Topic::kAcceptedUrgent}) {
    if (behind("router", topic)) return false;
  }
  for (const auto topic : {log::Topic::kOutbound, log::Topic::kOutboundUrgent}) {
    if (behind("sender", topic)) return false;
  }
  const auto summary = sender_->summary({});
  return summary && summary->counts.total() == 0;
}

}  // namespace godwit::durability
