#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/accounting/dead_list.h"
#include "common/accounting/event_query.h"
#include "common/accounting/held_list.h"
#include "common/admin/audit_trail.h"
#include "common/admin/dead_desk.h"
#include "common/admin/deliveries.h"
#include "common/admin/errc.h"
#include "common/admin/registry.h"
#include "common/admin/transport.h"
#include "common/admin/types.h"
#include "common/audit/report.h"
#include "common/base/result.h"
#include "common/commands/command_book.h"

namespace godwit::admin {

struct ClientConfig {
  std::string address;  // of a process's admin server: "127.0.0.1:8026"
  std::string token;
  ClientTls tls{};
  std::string
      actor{};  // who says to be asking, for the audit: "ann@laptop"; empty: the user and the machine
  std::chrono::milliseconds deadline{
      10'000};  // of a call that is not a stream, the connection included
};

// Asks one process. Every error's context names the address and what to do about it. What changes something takes a
// reason, for the audit.
//
// Errors     kFile (of ClientTls; of every function), kUnreachable, kUnauthenticated, kDenied, kUnsupported, kNotFound, kInvalid, kRefused, kBusy, kDeadline,
//            kCancelled, kFailed
// Threads    functions block and may be called from several threads
class Client {
 public:
  explicit Client(ClientConfig config);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  [[nodiscard]] Result<NodeInfo> info();
  // grpc.health.v1 of a role, or of the process (""). Errors: kNotFound, there is no such role.
  [[nodiscard]] Result<bool> serving(std::string_view role);
  [[nodiscard]] Result<void> drain(bool leave, const std::string& reason);
  [[nodiscard]] Result<std::vector<std::string>> reload(const std::string& reason);
  [[nodiscard]] Result<QueueSummary> queue(const QueueQuery& query);
  [[nodiscard]] Result<accounting::DeadList> dead(std::uint32_t rows_max);
  [[nodiscard]] Result<DeadDetails> dead_show(const std::string& key);
  [[nodiscard]] Result<DeadRetried> dead_retry(const std::string& key, const std::string& reason);
  [[nodiscard]] Result<DeadDropped> dead_drop(const std::string& key, bool force,
                                              const std::string& reason);
  [[nodiscard]] Result<accounting::HeldList> held(std::uint32_t rows_max);
  // How many recipients it is about.
  [[nodiscard]] Result<std::uint32_t> held_decide(const std::string& delivery,
                                                  accounting::HeldDecision decision,
                                                  const std::string& reason);
  // Both scan what is parked, and wait up to kControlDeadline. `rows_max` 0: counts only.
  [[nodiscard]] Result<DeliveryList> deliveries(const commands::Filter& filter,
                                                std::uint32_t rows_max);
  // Errors: kNotFound, it is not in that process.
  [[nodiscard]] Result<DeliveryDetails> delivery(const std::string& id);
  // `dry_run`: what would be written, if it is taken.
  [[nodiscard]] Result<commands::Command> command_issue(const commands::Order& order, bool dry_run);
  [[nodiscard]] Result<commands::Command> command_undo(const std::string& id,
                                                       const std::string& reason);
  [[nodiscard]] Result<std::vector<commands::Listed>> command_list();
  // `file` names the text in problems. These wait up to kControlDeadline: each plain password costs a hash.
  static constexpr std::chrono::seconds kControlDeadline{120};
  [[nodiscard]] Result<ControlAnswer> control_diff(const std::string& file, const std::string& text,
                                                   bool prune);
  [[nodiscard]] Result<ControlAnswer> control_apply(const std::string& file,
                                                    const std::string& text, bool prune,
                                                    const std::string& reason);
  [[nodiscard]] Result<ControlFileAnswer> control_get();
  [[nodiscard]] Result<std::vector<NodeAnswer>> nodes();
  [[nodiscard]] Result<std::vector<TopicRow>> topics();
  [[nodiscard]] Result<std::vector<LagRow>> lag();
  // The groups it was put out of.
  [[nodiscard]] Result<std::vector<std::string>> evict(const std::string& node,
                                                       const std::string& reason);
  [[nodiscard]] Result<AuditLog> audit_log(Timestamp since, std::uint32_t rows_max);
  [[nodiscard]] Result<std::string> log_level();
  [[nodiscard]] Result<std::string> set_log_level(std::string_view level,
                                                  const std::string& reason);

  // Visits until the server ends the stream or `visit` returns false. No deadline.
  [[nodiscard]] Result<void> events(const accounting::EventQuery& query,
                                    const accounting::VisitEvent& visit);
  using Progress = std::function<void(std::string_view stage, std::uint64_t records)>;
  [[nodiscard]] Result<audit::Report> audit(std::uint32_t exceptions_max, const Progress& progress);

  // For a process that only asks: gRPC writes no lines of its own to standard error; errors have what matters.
  static void quiet();
  // Ends streams under way with kCancelled. From any thread (not from a signal handler).
  void cancel();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace godwit::admin
