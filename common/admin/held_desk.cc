#include "common/admin/held_desk.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "common/admin/errc.h"
#include "common/admin/waiting.h"

namespace godwit::admin {
namespace {

constexpr std::chrono::seconds kPatience{20};

}  // namespace

Result<std::uint32_t> HeldDesk::decide(std::string_view delivery, accounting::HeldDecision decision,
                                       std::string_view actor) {
  TRY(accounting::DecisionRecord record, accounting::decide_held(log_, delivery, decision, actor));
  if (record.recipients == 0)
    return fail(Errc::kInvalid, fmt::format("nobody of {} is held", delivery));
  std::vector<log::Append> appends;
  appends.push_back(std::move(record.append));
  TRY_VOID(await_log(
      [&](log::WriteDone done) { producer_->append(std::move(appends), std::move(done)); },
      kPatience));
  return record.recipients;
}

}  // namespace godwit::admin
