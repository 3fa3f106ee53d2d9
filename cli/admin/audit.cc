#include "cli/admin/audit.h"

#include <ostream>

#include "common/audit/report.h"

namespace godwit::cli::admin {

int audit(const AuditOptions& options, const Target& target, Io io) {
  auto access = LogAccess::open(target);
  if (!access) {
    io.err << "godwit audit: " << access.error().to_string() << '\n';
    return kCouldNotRun;
  }
  const auto progress = [&](std::string_view stage, std::uint64_t records) {
    if (!options.quiet) io.err << "godwit audit: " << stage << ", " << records << " records\n";
  };
  const auto report = access->audit(options.exceptions_max, progress);
  if (!report) {
    io.err << "godwit audit: " << report.error().to_string() << '\n';
    return kCouldNotRun;
  }
  io.out << (options.json ? ::godwit::audit::to_json(*report) : ::godwit::audit::to_table(*report));
  io.out.flush();
  return report->clean() ? kDone : kAnswerIsNo;
}

}  // namespace godwit::cli::admin
