#pragma once

#include "common/admin/sources.h"

namespace godwit::log {
class Log;
}

namespace godwit::admin {

// Records over a log. Borrows it.
// `live`: others write to the log meanwhile; an audit then reads again before it reports an
// exception.
class LogRecords final : public Records {
 public:
  LogRecords(log::Log& log, bool live) : log_(log), live_(live) {}

  [[nodiscard]] Result<void> events(const accounting::EventQuery& query,
                                    const accounting::VisitEvent& visit,
                                    const std::function<bool()>& cancelled) override;
  [[nodiscard]] Result<audit::Report> audit(const audit::AuditOptions& options) override;
  [[nodiscard]] Result<accounting::DeadList> dead(std::size_t rows_max) override;

 private:
  log::Log& log_;
  bool live_;
};

}  // namespace godwit::admin
