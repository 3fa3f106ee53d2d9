#include "sender/queue_view.h"

#include <fmt/format.h>

#include <unordered_set>
#include <utility>

#include "common/async/blocking_pool.h"
#include "common/log/log.h"
#include "common/record/event_view.h"
#include "common/record/keys.h"
#include "sender/decode_delivery.h"

namespace godwit::sender {
namespace {

using admin::DeliveryState;

admin::DeliveryRow row_of(const QueuedDelivery& delivery, log::PartitionId partition,
                          DeliveryState state) {
  const v1::Delivery& head = delivery.record.head;
  return {.id = delivery.id,
          .partition = partition,
          .state = state,
          .tenant = head.tenant(),
          .domain = head.domain(),
          .site = head.site(),
          .pool = head.pool(),
          .urgent = delivery.urgent(),
          .tags = {head.tags().begin(), head.tags().end()},
          .recipients = delivery.recipients(),
          .bytes = delivery.record.content.size(),
          .accepted = delivery.accepted(),
          .due = from_unix_ms(head.due_unix_ms())};
}

DeliveryState state_of(const LaneEntry& entry) {
  if (entry.suspended) return DeliveryState::kSuspended;
  const bool held = entry.held > 0 && entry.held >= entry.recipients;
  return held ? DeliveryState::kHeld : DeliveryState::kParked;
}

admin::DeliveryRow row_of(LaneEntry entry, log::PartitionId partition) {
  return {.id = entry.id,
          .partition = partition,
          .state = state_of(entry),
          .tenant = std::move(entry.tenant),
          .domain = std::move(entry.domain),
          .site = entry.lane.site.text(),
          .pool = entry.lane.pool.text(),
          .urgent = entry.urgent,
          .tags = std::move(entry.tags),
          .recipients = entry.recipients,
          .bytes = entry.bytes,
          .accepted = entry.accepted,
          .due = entry.due};
}

std::string reply_text(const v1::Reply& reply) {
  std::string out;
  const auto put = [&out](std::string_view part) {
    if (!part.empty()) out += fmt::format("{}{}", out.empty() ? "" : " ", part);
  };
  if (reply.code() != 0) put(std::to_string(reply.code()));
  put(reply.enhanced());
  put(reply.text());
  if (!reply.command().empty()) put("(" + reply.command() + ")");
  return out;
}

}  // namespace

void QueueView::visit_memory(const Visit& visit) const {
  for (const auto& [id, state] : lanes_.all()) {
    state.lane->visit([&visit](const QueuedDelivery& delivery, bool active) {
      visit(delivery, active ? DeliveryState::kActive : DeliveryState::kWaiting);
    });
  }
  departures_.visit(
      [&visit](const QueuedDelivery& delivery) { visit(delivery, DeliveryState::kWaiting); });
}

async::Task<Result<admin::DeliveryList>> QueueView::list(commands::Filter filter,
                                                         std::size_t rows_max) {
  admin::DeliveryList found;
  // Those of the table that are in memory now are counted here only.
  std::unordered_set<DeliveryId> here;
  visit_memory([&](const QueuedDelivery& delivery, DeliveryState state) {
    if (delivery.in_table()) here.insert(delivery.id);
    if (filter.matches(subject_of(delivery)))
      found.add(row_of(delivery, partition_, state), rows_max);
  });
  auto scan = [this, &found, &here, &filter, rows_max]() -> Result<void> {
    return retries_.scan_index(lanes_begin(), lanes_end(), [&](std::string_view entry) {
      auto parsed = parse_lane(entry);
      if (parsed && !here.contains(parsed->id) && filter.matches(subject_of(*parsed)))
        found.add(row_of(*std::move(parsed), partition_), rows_max);
      return true;
    });
  };
  CO_TRY_VOID(co_await env_.pool.run(std::move(scan)));
  co_return found;
}

async::Task<Result<std::optional<admin::DeliveryDetails>>> QueueView::show(DeliveryId id) {
  std::optional<admin::DeliveryDetails> found;
  visit_memory([&](const QueuedDelivery& delivery, DeliveryState state) {
    if (delivery.id == id) found = details_of(delivery, state);
  });
  if (found) co_return found;
  auto read = [this, id] { return retries_.get(record::delivery_key(id)); };
  CO_TRY(auto value, co_await env_.pool.run(std::move(read)));
  if (!value) co_return found;
  QueuedDelivery parked;
  parked.id = id;
  CO_TRY(parked.record, record::decode_delivery(Rope(Bytes::adopt(*std::move(value)))));
  parked.expires =
      env_.config.retry.expiry(parked.accepted(), parked.record.head.expires_unix_ms());
  DeliveryState state = DeliveryState::kParked;
  if (parked.record.head.suspended()) state = DeliveryState::kSuspended;
  if (all_held(parked.record.envelope)) state = DeliveryState::kHeld;
  co_return details_of(parked, state);
}

admin::DeliveryDetails QueueView::details_of(const QueuedDelivery& delivery, DeliveryState state) {
  const v1::Delivery& head = delivery.record.head;
  admin::DeliveryDetails details{.row = row_of(delivery, partition_, state),
                                 .sender = delivery.record.envelope.sender(),
                                 .recipients = {},
                                 .expires = delivery.expires,
                                 .attempts = head.attempts(),
                                 .last_reply = reply_text(head.last_reply()),
                                 .last_class = head.last_class(),
                                 .throttled = head.throttled(),
                                 .command = {},
                                 .history = {}};
  for (const v1::Recipient& one : delivery.record.envelope.recipients())
    details.recipients.push_back({one.address(), one.index(), one.held()});
  if (const commands::Command* said = orders_.verdict(delivery)) {
    details.command =
        fmt::format("{} {}: {}", commands::kind_name(said->kind), said->id.text(), said->reason);
  }
  for (const v1::Step& step : head.history()) {
    details.history.push_back(fmt::format("{} {}: from {} {}",
                                          record::format_rfc3339(from_unix_ms(step.time_unix_ms())),
                                          step.cause(), step.site(), step.pool()));
  }
  return details;
}

}  // namespace godwit::sender
