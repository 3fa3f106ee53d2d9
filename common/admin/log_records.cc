#include "common/admin/log_records.h"

#include <utility>

namespace godwit::admin {

Result<void> LogRecords::events(const accounting::EventQuery& query,
                                const accounting::VisitEvent& visit,
                                const std::function<bool()>& cancelled) {
  return accounting::read_events(log_, query, visit, cancelled);
}

Result<audit::Report> LogRecords::audit(const audit::AuditOptions& options) {
  audit::AuditOptions here = options;
  here.live = live_;
  return audit::audit(log_, here);
}

Result<accounting::DeadList> LogRecords::dead(std::size_t rows_max) {
  return accounting::list_dead(log_, rows_max);
}

}  // namespace godwit::admin
