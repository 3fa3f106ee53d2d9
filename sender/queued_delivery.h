#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/log/types.h"
#include "common/record/records.h"
#include "sender/content_budget.h"
#include "sender/shared_bodies.h"
#include "sender/spare_room.h"

namespace godwit::sender {

// Where a delivery was consumed: its place in a window.
struct WindowSlot {
  log::Topic topic{};
  log::Offset offset = 0;
};

// What is known of a delivery beside its record.
struct DeliveryInHand {
  DeliveryId id;
  log::RecordPosition place;       // names it while it is in hand (common/poison)
  std::optional<WindowSlot> slot;  // nullopt: it came from the table
  Timestamp expires;
  Rope content;                 // fetched for an attempt or for parking; empty otherwise
  ContentBudget::Share memory;  // for `content`; none for what was inline or is of a body
  SharedBodies::BodyPtr body;   // `content` is of it
  bool row_throttled = false;   // its row in the table says it waits behind its lane's limits
  SpareRoom::Share room;        // for its parking, until that is committed
  std::uint32_t returns =
      0;  // attempts that came to nothing because a connection ended before its turn
};

// A delivery in memory, from the window or back from the table of parked ones. One owner at a time: a lane's
// queue, a courier, the parking queue, the journal.
struct QueuedDelivery : DeliveryInHand {
  record::Delivery record;  // envelope: the recipients that have not ended; no inline content

  void drop_content() {
    content = {};
    release_memory();
  }
  void release_memory() {
    memory = {};
    body.reset();
  }
  [[nodiscard]] bool in_table() const { return !slot.has_value(); }
  [[nodiscard]] bool urgent() const { return record.head.class_() == v1::URGENT; }
  [[nodiscard]] LaneId lane() const {
    return {SiteName(record.head.site()), PoolName(record.head.pool())};
  }
  [[nodiscard]] Timestamp accepted() const { return from_unix_ms(record.head.accepted_unix_ms()); }
  [[nodiscard]] std::uint32_t recipients() const {
    return static_cast<std::uint32_t>(record.envelope.recipients_size());
  }
  // What it costs its tenant's turn: a large message keeps a connection longer.
  [[nodiscard]] std::uint32_t cost() const {
    return 1 +
           static_cast<std::uint32_t>(std::min<std::uint64_t>(record.content.size() >> 18, 255));
  }
};

// One that nobody needs any more is kept for the next: the texts of a record are a dozen allocations.
// Limits    256 of each thread are kept
// Threads   made and let go on any
struct DeliveryKeeper {
  void operator()(QueuedDelivery* delivery) const noexcept;
};
using DeliveryPtr = std::unique_ptr<QueuedDelivery, DeliveryKeeper>;
// The record of one that was kept is as it was left: the next thing is to decode() into it.
[[nodiscard]] DeliveryPtr make_delivery();

}  // namespace godwit::sender
