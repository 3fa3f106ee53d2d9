#include "cli/run/control_data.h"

#include <system_error>
#include <utility>
#include <vector>

#include "common/control/file_control.h"
#include "common/control/log_control.h"
#include "common/observe/log.h"

namespace godwit::cli::run {
namespace {

constexpr observe::Logger kLog{"process"};

void name_notices(const std::vector<config::Problem>& notices) {
  for (const config::Problem& notice : notices)
    kLog.warning("not in effect", {{"at", notice.to_string()}});
}

Result<std::unique_ptr<control::Authority>> from_file(const std::filesystem::path& file) {
  if (file.empty()) return control::FileControl::defaults();
  TRY(auto control, control::FileControl::load(file));
  name_notices(control->notices());
  return control;
}

Result<void> seed(control::LogControl& control, const std::filesystem::path& file,
                  godwit::admin::AuditTrail& trail) {
  const auto announce = [&](const control::ChangePlan& plan,
                            std::string_view batch) -> Result<void> {
    godwit::admin::AuditEntry entry{
        .actor = "control.mode: seed", .action = "control.seed", .subject = std::string(batch)};
    for (const control::ObjectChange& change : plan.changes)
      entry.changes.push_back(change.to_text());
    return trail.write(std::move(entry));
  };
  auto seeded = control.seed(file, announce);
  if (!seeded) return fail(std::move(seeded).error().within("control.file"));
  name_notices(seeded->plan.notices);
  if (!seeded->batch.empty()) {
    kLog.info("control data seeded", {{"file", file.string()}, {"batch", seeded->batch}});
  } else if (const auto& plan = seeded->plan; !plan.changes.empty() || !plan.left.empty()) {
    kLog.warning("the control file is not what is in force; `godwit ctl diff` shows how",
                 {{"file", file.string()}, {"changes", plan.changes.size()}});
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<control::Authority>> open_control(
    const Config& config, const ControlPlace& place,
    const std::function<bool(std::string_view problem)>& told_to_end) {
  const std::filesystem::path& file = config.control.file;
  if (config.control_mode() == ControlMode::kFile) return from_file(file);
  TRY(auto control, control::LogControl::open(place.log, place.clock, place.node));
  for (std::string problem; !(problem = control->problem()).empty();) {
    if (told_to_end(problem))
      return fail(std::make_error_code(std::errc::operation_canceled), problem);
  }
  if (!file.empty()) TRY_VOID(seed(*control, file, place.trail));
  return control;
}

}  // namespace godwit::cli::run
