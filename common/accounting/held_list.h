#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/log/log.h"

namespace godwit::accounting {

// Recipients of one parked delivery whose outcome is unknown and who wait for an operator (docs/formats/retries.md).
struct HeldRow {
  DeliveryId delivery;
  log::PartitionId partition = 0;
  std::string tenant{};
  std::string sender{};
  std::vector<std::string> recipients{};  // addresses
  std::string site{};
  std::string pool{};
  std::string reply{};  // why nobody knows
  Timestamp accepted{};
  Timestamp expires{};  // then they end as expired
  std::uint32_t attempts = 0;
};

struct HeldList {
  std::vector<HeldRow> rows;  // the oldest first, at most what was asked for
  std::uint64_t total = 0;
};

// Who is held now. Blocks. Errors: those of Log::history. What cannot be decoded is left out: it is the audit's.
[[nodiscard]] Result<HeldList> list_held(log::Log& log, std::size_t rows_max);

// What is to become of them. The numbers are those of godwit.v1.Decision.
enum class HeldDecision : std::uint8_t { kRetry = 1, kDelivered = 2, kFailed = 3 };
[[nodiscard]] std::string_view decision_name(HeldDecision decision);

// A decision about those of the delivery who are held now, as the record that tells the owner of its partition.
struct DecisionRecord {
  log::Append append;
  std::uint32_t recipients = 0;  // it is about; 0: nobody is held, there is no record
};
// Blocks. Errors: those of Log::history and of encoding.
[[nodiscard]] Result<DecisionRecord> decide_held(log::Log& log, std::string_view delivery,
                                                 HeldDecision decision, std::string_view actor);

}  // namespace godwit::accounting
