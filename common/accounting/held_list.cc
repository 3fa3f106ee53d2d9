#include "common/accounting/held_list.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "common/accounting/oldest.h"
#include "common/record/keys.h"
#include "common/record/records.h"

namespace godwit::accounting {
namespace {

using log::Topic;

using VisitHeld = std::function<bool(log::PartitionId, const record::Delivery&)>;

// Parked deliveries that somebody in is held, until `visit` returns false. What cannot be decoded is the audit's.
Result<void> visit_held(log::Log& log, const VisitHeld& visit) {
  return log.history(Topic::kRetries, Timestamp{}, [&](const log::HistoryRecord& at) {
    if (!record::delivery_of_key(at.record.key)) return true;
    const auto delivery = record::decode_delivery(at.record.value);
    if (!delivery) return true;
    const bool held =
        std::ranges::any_of(delivery->envelope.recipients(),
                            [](const v1::Recipient& recipient) { return recipient.held() != 0; });
    return !held || visit(at.where.partition, *delivery);
  });
}

HeldRow row_of(log::PartitionId partition, const record::Delivery& delivery) {
  const v1::Delivery& head = delivery.head;
  HeldRow row{.delivery = record::delivery_id(delivery),
              .partition = partition,
              .tenant = head.tenant(),
              .sender = delivery.envelope.sender(),
              .recipients = {},
              .site = head.site(),
              .pool = head.pool(),
              .reply = head.last_reply().text(),
              .accepted = from_unix_ms(head.accepted_unix_ms()),
              .expires = from_unix_ms(head.expires_unix_ms()),
              .attempts = head.attempts()};
  for (const v1::Recipient& recipient : delivery.envelope.recipients()) {
    if (recipient.held() != 0) row.recipients.push_back(recipient.address());
  }
  return row;
}

// A delivery that is none: it names whom the decision is about.
record::Delivery decision_of(const record::Delivery& held, HeldDecision decision,
                             std::string_view actor) {
  record::Delivery out;
  out.head.set_version(record::kDecisionVersion);
  out.head.set_message_id(held.head.message_id());
  out.head.set_index(held.head.index());
  out.head.set_tenant(held.head.tenant());
  out.head.set_class_(held.head.class_());
  out.head.set_pool(held.head.pool());
  out.head.set_site(held.head.site());
  out.head.set_domain(held.head.domain());
  out.head.set_accepted_unix_ms(held.head.accepted_unix_ms());
  out.head.mutable_decision()->set_what(static_cast<v1::Decision::What>(decision));
  out.head.mutable_decision()->set_actor(std::string(actor.substr(0, 256)));
  for (const v1::Recipient& recipient : held.envelope.recipients()) {
    if (recipient.held() != 0) *out.envelope.add_recipients() = recipient;
  }
  return out;
}

}  // namespace

std::string_view decision_name(HeldDecision decision) {
  switch (decision) {
    case HeldDecision::kRetry: return "retry";
    case HeldDecision::kDelivered: return "delivered";
    case HeldDecision::kFailed: return "failed";
  }
  return "unknown";
}

Result<HeldList> list_held(log::Log& log, std::size_t rows_max) {
  HeldList list;
  Oldest<HeldRow, decltype(&HeldRow::accepted)> oldest(rows_max, &HeldRow::accepted);
  TRY_VOID(visit_held(log, [&](log::PartitionId partition, const record::Delivery& delivery) {
    ++list.total;
    oldest.add(row_of(partition, delivery));
    return true;
  }));
  list.rows = std::move(oldest).take();
  return list;
}

Result<DecisionRecord> decide_held(log::Log& log, std::string_view delivery, HeldDecision decision,
                                   std::string_view actor) {
  DecisionRecord made;
  Result<void> encoded;
  TRY_VOID(visit_held(log, [&](log::PartitionId partition, const record::Delivery& held) {
    if (record::delivery_id(held).to_text() != delivery) return true;
    const record::Delivery out = decision_of(held, decision, actor);
    auto value = record::encode(out);
    if (!value) {
      encoded = fail(std::move(value).error());
      return false;
    }
    const Topic topic =
        held.head.class_() == v1::URGENT ? Topic::kOutboundUrgent : Topic::kOutbound;
    made.append = {.where = {topic, partition},
                   .key = record::lane_key({SiteName(held.head.site()), PoolName(held.head.pool())})
                              .substr(record::kLanePrefix.size()),
                   .value = *std::move(value),
                   .refers_to = {}};
    made.recipients = static_cast<std::uint32_t>(out.envelope.recipients_size());
    return false;
  }));
  TRY_VOID(std::move(encoded));
  return made;
}

}  // namespace godwit::accounting
