#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/accounting/dead_list.h"
#include "common/accounting/event_query.h"
#include "common/admin/types.h"
#include "common/audit/audit.h"
#include "common/base/result.h"

// What the process plugs into its admin server. admin knows no role: roles implement these.
//
// Threads    every function is called on threads of the admin server, several at a time, and may
//            block there for a moment (a post to a shard and its answer); never on a mail loop.
namespace godwit::admin {

// The process itself: implemented by whoever runs the roles.
class Process {
 public:
  virtual ~Process() = default;
  [[nodiscard]] virtual NodeInfo info() = 0;
  // Begins to drain; returns at once. A second call changes nothing.
  virtual void drain(bool leave) = 0;
  // Loads configuration and control data again. Output: what changed. On an error nothing did.
  [[nodiscard]] virtual Result<std::vector<std::string>> reload() = 0;
  [[nodiscard]] virtual std::string log_level() = 0;
  // Errors: kInvalid.
  [[nodiscard]] virtual Result<void> set_log_level(std::string_view level) = 0;
};

// A role that keeps mail waiting (router: not routed; sender: window and parked).
class QueueSource {
 public:
  virtual ~QueueSource() = default;
  // At most query.rows_max rows; rows_total says how many there were. Bounded in time: counters,
  // not a scan.
  [[nodiscard]] virtual Result<QueueSummary> summary(const QueueQuery& query) = 0;
};

// What can be answered from the log. LogRecords (log_records.h) does it for a log::Log.
class Records {
 public:
  virtual ~Records() = default;
  [[nodiscard]] virtual Result<void> events(const accounting::EventQuery& query,
                                            const accounting::VisitEvent& visit,
                                            const std::function<bool()>& cancelled) = 0;
  [[nodiscard]] virtual Result<audit::Report> audit(const audit::AuditOptions& options) = 0;
  [[nodiscard]] virtual Result<accounting::DeadList> dead(std::size_t rows_max) = 0;
};

}  // namespace godwit::admin
