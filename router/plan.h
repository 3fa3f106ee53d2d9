#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/control/snapshot.h"
#include "common/log/log.h"
#include "common/log/types.h"
#include "common/record/event_series.h"
#include "common/record/records.h"

// What becomes of one accepted message. Pure.
namespace godwit::router {

inline constexpr int kDeliveryRecipientsMax = 1000;  // more are a delivery of their own

// Recipients of one message that have the same domain, and so go the same way.
struct DomainGroup {
  std::string domain;           // lower case, A-labels
  SiteName site;                // empty until it is known
  std::vector<int> recipients;  // places in the envelope, ascending
};

// The domain behind the last "@" in the form look-ups use. One that is no domain name comes back printable and
// bounded: no DNS has it, so its delivery ends at the sender with the right reply. None: empty.
[[nodiscard]] std::string domain_of(std::string_view address);

// One group a domain, in the order of their first recipients.
[[nodiscard]] std::vector<DomainGroup> group_by_domain(const v1::Envelope& envelope);

// The message's pool, else its tenant's, else `default`; a pool that no longer exists is `default` too. Mail is
// never lost because control data changed behind it.
struct PoolChoice {
  PoolName pool;
  bool known = true;  // false: control data does not have the pool, or the tenant that would say
};
[[nodiscard]] PoolChoice pool_of(const v1::Message& message, const control::Snapshot& control);

// What is the same for all messages of a router.
struct PlanContext {
  log::PartitionId outbound_partitions = 1;
  std::string node;
  bool by_position = false;  // Log::reads_by_position()
  log::PartitionId event_partitions = 1;
  log::PartitionId body_partitions = 1;
};

// Where deliveries carry their content: content that comes to more than this, times the deliveries it goes out in,
// goes to `bodies` once, and they refer to it.
inline constexpr std::size_t kCarriedBytesMax = 1 << 20;
[[nodiscard]] bool needs_body(const record::Message& message,
                              const std::vector<DomainGroup>& groups, const PlanContext& context);

// The content's chunks. When they are acknowledged, refer_to_body() makes the message one that plan() takes.
[[nodiscard]] std::vector<log::Append> body_of(const record::Message& message,
                                               const PlanContext& context);
void refer_to_body(record::Message& message, std::span<const log::Offset> chunks,
                   const PlanContext& context);

struct PlanInput {
  const record::Message& message;
  log::RecordPosition position;
  const std::vector<DomainGroup>& groups;
  const PoolName& pool;
  const control::LaneMap& lanes;
  Timestamp now;
};

// Makes the records that follow from a message, all but its position; of one message after the other.
//
// Input     a decoded message, where it was read, its groups with their sites
// Output    for each recipient the events `accepted` and `routed`; for each group (or kDeliveryRecipientsMax of
//           it) a delivery on its lane, of the message's class. The same input gives the same records and ids,
//           whatever was planned before.
// Content   by_position: deliveries refer to the accepted record, or to `bodies`; else they carry it
// Errors    record::Errc, and log::Errc::kTooLarge for a delivery of one recipient that fits no record
// Memory    of what planning needs, a bounded part is kept for the next message. The records of a message share one
//           buffer, contents not counted
// Threads   belongs to one
class Planner {
 public:
  // Borrows the context.
  explicit Planner(const PlanContext& context) : context_(context) {}

  // Puts them behind what is in `out`. After an error `out` is as it was.
  [[nodiscard]] Result<void> plan(const PlanInput& input, std::vector<log::Append>& out);

 private:
  Result<void> add_records();
  Result<void> add_accepted();
  Result<void> add_delivery(const DomainGroup& group, std::span<const int> recipients);
  Result<void> add_routed(const DomainGroup& group, std::span<const int> recipients);
  Result<void> add_event(const v1::Recipient& recipient);
  void hand_out_events(std::span<log::Append> appends) const;
  [[nodiscard]] const v1::Recipient& recipient(int place) const;

  const PlanContext& context_;
  // Of the message that is being planned:
  const PlanInput* input_ = nullptr;
  std::vector<log::Append>* out_ = nullptr;
  MessageId message_id_;
  log::TopicPartition events_at_;
  record::Event event_;         // what the events of the message, then of a group, have in common
  record::EventSeries series_;  // of such events
  record::Delivery delivery_;   // the same of deliveries
  LaneId lane_;
  std::string events_;             // serialised, one behind the other
  std::vector<std::size_t> ends_;  // of each, in them
};

}  // namespace godwit::router
