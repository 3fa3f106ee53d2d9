#pragma once

#include <cstdint>

#include "common/base/bytes.h"
#include "common/record/records.h"

namespace godwit::sender {

// An event as the log gets it, and what is asked of it before.
struct EventRecord {
  v1::EventType type = v1::EVENT_UNSET;
  std::uint32_t attempt = 0;
  bool held = false;
  Rope value;

  // Text that came from outside and is no UTF-8 is made printable: an end must not wait for it.
  [[nodiscard]] static EventRecord of(record::Event& event);
  // One without any field, to be filled in and given to of(); the thread's, until the next call. A
  // record a message would be built from a dozen allocations otherwise.
  [[nodiscard]] static record::Event& blank();
};

}  // namespace godwit::sender
