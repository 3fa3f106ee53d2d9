#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/record/records.h"

namespace godwit::record {

// Encodes events that are the same but for their recipient. What they have in common is checked and encoded once, so
// that a recipient costs the few octets that are its own.
//
// Output    what encode() makes of the same event, with the fields in another order
// Errors    as encode()
// Memory    kept from series to series
// Threads   belongs to one
class EventSeries {
 public:
  // `common`: an event without index and recipient.
  [[nodiscard]] Result<void> begin(const Event& common);

  // Appends the octets of the event of that recipient to `out`. After an error `out` is as it was.
  [[nodiscard]] Result<void> append_event(std::uint32_t index, std::string_view recipient,
                                          std::string& out) const;

 private:
  std::string head_;       // serialised, all but index and addresses
  std::string seal_;       // serialised, all but the sealed octets
  std::string addresses_;  // serialised, all but the recipient
};

}  // namespace godwit::record
