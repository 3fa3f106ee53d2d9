#pragma once

#include <atomic>
#include <filesystem>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cli/config.h"
#include "cli/run/log_lag.h"
#include "cli/run/mounted_folders.h"
#include "cli/run/observe_endpoints.h"
#include "cli/run/process_metrics.h"
#include "cli/run/pulse.h"
#include "cli/run/start_patience.h"
#include "common/admin/audit_trail.h"
#include "common/admin/dead_desk.h"
#include "common/admin/held_desk.h"
#include "common/admin/log_records.h"
#include "common/admin/registry.h"
#include "common/admin/server.h"
#include "common/admin/sources.h"
#include "common/admin/watched_log.h"
#include "common/async/blocking_pool.h"
#include "common/async/shard.h"
#include "common/base/result.h"
#include "common/capture/server.h"
#include "common/capture/store.h"
#include "common/commands/command_book.h"
#include "common/control/authority.h"
#include "common/control/return_path.h"
#include "common/http/server.h"
#include "common/log/log.h"
#include "common/net/measured_resolver.h"
#include "common/net/resolver.h"
#include "common/observe/health.h"
#include "common/observe/metrics.h"
#include "common/poison/slots.h"
#include "common/role/lifecycle.h"
#include "common/role/signals.h"

namespace godwit::cli::run {

struct RunOptions {
  std::filesystem::path config_file;
  std::set<std::string> roles;  // names of role_names()
  std::string node{};           // instead of the file's `node`; empty: as the file says
};

// The roles that this executable has, by name.
[[nodiscard]] const std::vector<std::string>& role_names();

// One `godwit run`: everything a process is made of, in the order it depends on each other.
//
// Lifecycle  start(); then wait_ready() and serve() (until SIGTERM or `ctl drain`); then end(). The
//            destructor ends what start() began when it failed.
// Ordering   members are declared in the order in which they begin; end() ends them the other way
//            round: roles drain and stop, then nobody asks (admin), then the log syncs and closes,
//            at last the shards stop.
// Threads    main; what godwit::admin::Process declares is called by threads of the admin server
class Process final : public godwit::admin::Process {
 public:
  Process(RunOptions options, Config config, role::Signals& signals);
  ~Process() override;

  [[nodiscard]] Result<void> start();
  // Returns when every role is ready, or false when the end was asked for before.
  [[nodiscard]] bool wait_ready();
  // "ready smtp.relay=127.0.0.1:2525 ... observe=127.0.0.1:8027"
  [[nodiscard]] std::string ready_line() const;
  // Reloads when asked, or when a mounted folder changed; returns when the end is asked for.
  void serve();
  // The log is of no use any more: the end was not asked for, but is due.
  [[nodiscard]] bool failed() const { return failed_; }
  void end();
  // What end() may take: `drain_timeout` for the roles, and what their groups take to give partitions back.
  [[nodiscard]] std::chrono::milliseconds end_bound() const;

  // godwit::admin::Process
  [[nodiscard]] godwit::admin::NodeInfo info() override;
  void drain(bool leave) override;
  [[nodiscard]] Result<std::vector<std::string>> reload() override;
  [[nodiscard]] std::string log_level() override;
  [[nodiscard]] Result<void> set_log_level(std::string_view level) override;

 private:
  using Changes = std::vector<std::string>;

  [[nodiscard]] Result<void> open_log();
  // Of brokers; the embedded log has none.
  [[nodiscard]] StartPatience start_patience();
  // Says what a start waits for, and waits a moment. True: the end was asked for.
  [[nodiscard]] bool told_to_end(std::string_view problem);
  void open_poison();
  // Of the thread of the log that archives; opens the slots when it comes first.
  poison::Slot& archiving_hand();
  [[nodiscard]] Result<void> load_control();
  [[nodiscard]] Result<void> start_observe();
  [[nodiscard]] Result<std::optional<net::Address>> start_capture();
  [[nodiscard]] Result<control::ReturnPath> load_return_path() const;
  [[nodiscard]] Result<void> start_roles(std::optional<net::Address> capture);
  [[nodiscard]] Result<void> start_http();
  [[nodiscard]] Result<void> start_admin();
  [[nodiscard]] Result<void> refuse_a_namesake();
  [[nodiscard]] bool log_has_ended();
  void answer_reloads();
  [[nodiscard]] Result<Changes> reload_now();
  void publish_health();
  [[nodiscard]] godwit::admin::NodeRow node_row() const;
  [[nodiscard]] Troubles not_ready() const;
  [[nodiscard]] bool has_role(std::string_view name) const {
    return options_.roles.contains(std::string(name));
  }

  const RunOptions options_;
  Config config_;
  role::Signals& signals_;
  const Clock& clock_ = system_clock();
  const Timestamp started_at_ = clock_.now();
  std::string node_;
  MountedFolders mounted_;

  observe::Metrics metrics_;
  observe::Health health_;
  std::shared_ptr<observe::Health::Component> startup_;
  std::unique_ptr<async::Shards> shards_;
  std::unique_ptr<Pulse> pulse_;
  std::unique_ptr<http::Server> observe_server_;
  std::unique_ptr<async::BlockingPool> pool_;
  std::once_flag poison_once_;
  std::unique_ptr<poison::Slots> poison_;  // the log's archive has a slot: outlives it
  std::unique_ptr<log::Log> log_;
  std::unique_ptr<godwit::admin::WatchedLog> watched_log_;  // as the roles see it
  std::unique_ptr<LogLag> lag_;                             // of the embedded log
  std::unique_ptr<ProcessMetrics> process_metrics_;
  std::unique_ptr<godwit::admin::AuditTrail> trail_;
  std::unique_ptr<control::Authority> control_;
  std::unique_ptr<godwit::commands::CommandBook> commands_;
  std::unique_ptr<net::Resolver> resolver_;
  std::unique_ptr<net::MeasuredResolver> measured_resolver_;
  std::unique_ptr<capture::Store> capture_store_;
  std::unique_ptr<capture::CaptureServer> capture_server_;
  role::Lifecycle roles_{clock_};
  std::vector<godwit::admin::QueueSource*> queues_;
  std::vector<godwit::admin::DeliverySource*> deliveries_;
  std::atomic<bool> roles_started_{false};  // roles_ is complete: other threads may look
  std::unique_ptr<http::Server> http_server_;
  std::unique_ptr<godwit::admin::LogRecords> records_;
  std::unique_ptr<godwit::admin::DeadDesk> dead_desk_;
  std::unique_ptr<godwit::admin::HeldDesk> held_desk_;
  std::unique_ptr<godwit::admin::Registry> registry_;
  std::unique_ptr<godwit::admin::Server> admin_server_;

  std::atomic<bool> draining_{false};
  std::mutex reloads_mutex_;
  std::vector<std::promise<Result<Changes>>> reloads_;  // asked for by admin, done on main
  bool failed_ = false;
  bool ended_ = false;
};

}  // namespace godwit::cli::run
