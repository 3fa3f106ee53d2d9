#include "tests/simulation/operator.h"

#include <utility>
#include <vector>

#include "common/accounting/held_list.h"
#include "common/base/check.h"
#include "common/record/records.h"

namespace godwit::simulation {

using namespace std::chrono_literals;

void Operator::look() {
  World& world = cluster_.world;
  const auto list = accounting::list_held(log_, 1000);
  CHECK(list.has_value(), "{}", list.error().to_string());
  for (const accounting::HeldRow& row : list->rows) {
    if (world.chance(40)) decide(row);
  }
  world.after(world.between(2s, 40s), [this] { look(); });
}

void Operator::decide(const accounting::HeldRow& row) {
  World& world = cluster_.world;
  const auto decision = static_cast<accounting::HeldDecision>(1 + world.random().below(3));
  auto record = accounting::decide_held(log_, row.delivery.to_text(), decision, "operator");
  CHECK(record.has_value(), "{}", record.error().to_string());
  const auto about = record::decode_delivery(record->append.value);
  CHECK(about.has_value(), "{}", about.error().to_string());
  for (const v1::Recipient& recipient : about->envelope.recipients()) {
    cluster_.laws.decided(recipient.address(), recipient.held(), decision);
  }
  std::vector<log::Append> records(world.chance(20) ? 2 : 1, record->append);
  // Without an answer it is there or not, and he looks again.
  producer_->append(std::move(records), [](const Result<log::Written>&) {});
}

}  // namespace godwit::simulation
