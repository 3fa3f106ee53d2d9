#include "router/plan.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory_resource>

#include "common/accounting/content_place.h"
#include "common/log/by_message.h"
#include "common/log/errc.h"
#include "common/record/body.h"
#include "common/record/keys.h"
#include "common/text/escape.h"
#include "common/text/idna.h"

namespace godwit::router {
namespace {

constexpr std::string_view kDefaultPool = "default";
constexpr int kGroupsExpected = 32;                // more of them move as their number grows
constexpr std::size_t kKeptBytesMax = 256 * 1024;  // of a buffer, for the next message

log::Topic outbound_topic(v1::MessageClass message_class) {
  return message_class == v1::URGENT ? log::Topic::kOutboundUrgent : log::Topic::kOutbound;
}

void begin_event(const PlanInput& input, const PlanContext& context, record::Event& event) {
  event.head.Clear();
  event.head.set_version(record::kVersion);
  event.head.set_message_id(input.message.head.message_id());
  event.head.set_tenant(input.message.head.tenant());
  event.head.set_node(context.node);
  event.addresses.set_sender(input.message.envelope.sender());
}

void begin_delivery(const PlanInput& input, const PlanContext& context,
                    record::Delivery& delivery) {
  const record::Message& message = input.message;
  delivery.head.Clear();
  delivery.head.set_version(record::kVersion);
  delivery.head.set_message_id(message.head.message_id());
  delivery.head.set_tenant(message.head.tenant());
  delivery.head.set_class_(message.head.class_());
  delivery.head.set_pool(input.pool.text());
  delivery.head.set_accepted_unix_ms(message.head.accepted_unix_ms());
  delivery.head.set_due_unix_ms(message.head.due_unix_ms());
  delivery.head.set_smtputf8(message.head.smtputf8());
  delivery.head.set_body_8bitmime(message.head.body_8bitmime());
  delivery.head.set_origin_protocol(message.head.origin().protocol());
  *delivery.head.mutable_tags() = message.head.tags();
  delivery.seal = message.seal;
  delivery.envelope = message.envelope;
  delivery.content = message.content;
  if (context.by_position && !message.data.empty()) {
    v1::Position& position = *delivery.content.mutable_position();
    position.set_topic(static_cast<std::uint32_t>(input.position.where.topic));
    position.set_partition(input.position.where.partition);
    position.set_offset(input.position.offset);
    delivery.data = {};
  } else {
    delivery.data = message.data;
  }
}

}  // namespace

std::string domain_of(std::string_view address) {
  const std::size_t at = address.rfind('@');
  if (at == std::string_view::npos) return {};
  const std::string_view domain = address.substr(at + 1);
  if (!domain.starts_with('[')) {
    if (Result<std::string> name = text::to_ascii_domain(domain)) return *std::move(name);
  }
  return text::to_lower(text::printable(domain, text::kDomainBytesMax));
}

std::vector<DomainGroup> group_by_domain(const v1::Envelope& envelope) {
  std::vector<DomainGroup> groups;
  groups.reserve(static_cast<std::size_t>(std::min(envelope.recipients_size(), kGroupsExpected)));
  std::array<std::byte, 2048> room;  // enough for a few domains
  std::pmr::monotonic_buffer_resource memory(room.data(), room.size());
  std::pmr::map<std::pmr::string, std::size_t, std::less<>> places(&memory);
  for (int i = 0; i < envelope.recipients_size(); ++i) {
    std::string domain = domain_of(envelope.recipients(i).address());
    auto place = places.find(std::string_view(domain));
    if (place == places.end()) {
      place = places.emplace(domain, groups.size()).first;
      groups.push_back({.domain = std::move(domain), .site = {}, .recipients = {}});
    }
    groups[place->second].recipients.push_back(i);
  }
  return groups;
}

PoolChoice pool_of(const v1::Message& message, const control::Snapshot& control) {
  std::string name = message.pool();
  if (name.empty()) {
    const control::Tenant* tenant = control.tenant(message.tenant());
    if (tenant != nullptr) name = tenant->pool.text();
  }
  if (control.pool(name) != nullptr) return {.pool = PoolName(std::move(name)), .known = true};
  return {.pool = PoolName(std::string(kDefaultPool)), .known = false};
}

bool needs_body(const record::Message& message, const std::vector<DomainGroup>& groups,
                const PlanContext& context) {
  if (context.by_position || message.data.empty()) return false;
  std::size_t deliveries = 0;
  for (const DomainGroup& group : groups) {
    deliveries += (group.recipients.size() + kDeliveryRecipientsMax - 1) / kDeliveryRecipientsMax;
  }
  return deliveries > 1 && message.data.size() * deliveries > kCarriedBytesMax;
}

std::vector<log::Append> body_of(const record::Message& message, const PlanContext& context) {
  return log::body_of(message.message_id(), message.data, context.body_partitions);
}

void refer_to_body(record::Message& message, std::span<const log::Offset> chunks,
                   const PlanContext& context) {
  *message.content.mutable_body() = record::refer_to_body(
      log::partition_of(message.message_id(), context.body_partitions), chunks);
  message.data = {};
}

Result<void> Planner::plan(const PlanInput& input, std::vector<log::Append>& out) {
  input_ = &input;
  out_ = &out;
  const std::size_t before = out.size();
  auto added = add_records();
  if (added) {
    hand_out_events(std::span(out).subspan(before));
  } else {
    out.erase(out.begin() + static_cast<std::ptrdiff_t>(before), out.end());
  }
  delivery_.data = {};  // the content is not ours to keep
  events_.clear();
  ends_.clear();
  if (events_.capacity() > kKeptBytesMax) events_ = {};
  return added;
}

Result<void> Planner::add_records() {
  message_id_ = input_->message.message_id();
  events_at_ = {log::Topic::kEvents, log::partition_of(message_id_, context_.event_partitions)};
  lane_.pool = input_->pool;
  begin_event(*input_, context_, event_);
  begin_delivery(*input_, context_, delivery_);
  TRY_VOID(add_accepted());
  for (const DomainGroup& group : input_->groups) {
    const std::span<const int> all(group.recipients);
    for (std::size_t at = 0; at < all.size(); at += kDeliveryRecipientsMax) {
      TRY_VOID(add_delivery(
          group, all.subspan(at, std::min<std::size_t>(kDeliveryRecipientsMax, all.size() - at))));
    }
  }
  return {};
}

Result<void> Planner::add_accepted() {
  const record::Message& message = input_->message;
  v1::Event& head = event_.head;
  head.set_type(v1::ACCEPTED);
  head.set_time_unix_ms(message.head.accepted_unix_ms());
  head.set_size(message.content.size());
  *head.mutable_tags() = message.head.tags();
  TRY_VOID(series_.begin(event_));
  for (const v1::Recipient& recipient : message.envelope.recipients()) {
    TRY_VOID(add_event(recipient));
  }
  head.clear_size();
  head.clear_tags();
  return {};
}

Result<void> Planner::add_delivery(const DomainGroup& group, std::span<const int> recipients) {
  delivery_.head.set_index(recipient(recipients.front()).index());
  delivery_.head.set_site(group.site.text());
  delivery_.head.set_domain(group.domain == group.site.text() ? std::string() : group.domain);
  delivery_.envelope.clear_recipients();
  for (const int place : recipients) *delivery_.envelope.add_recipients() = recipient(place);
  TRY(Rope value, record::encode(delivery_));

  lane_.site = group.site;
  const std::uint64_t number = std::hash<DeliveryId>{}({message_id_, delivery_.head.index()});
  log::Append append{
      .where = {outbound_topic(input_->message.head.class_()),
                input_->lanes.partition_of(lane_, number, context_.outbound_partitions)},
      .key = record::lane_key(lane_).erase(0, record::kLanePrefix.size()),
      .value = std::move(value),
      .refers_to =
          context_.by_position ? accounting::content_place(delivery_.content) : std::nullopt};
  if (append.key.size() + append.value.size() > log::kRecordBytesMax) {
    if (recipients.size() == 1) return fail(log::Errc::kTooLarge, "a delivery of one recipient");
    const std::size_t half = recipients.size() / 2;
    TRY_VOID(add_delivery(group, recipients.first(half)));
    return add_delivery(group, recipients.subspan(half));
  }
  out_->push_back(std::move(append));
  return add_routed(group, recipients);
}

Result<void> Planner::add_routed(const DomainGroup& group, std::span<const int> recipients) {
  const v1::Message& message = input_->message.head;
  v1::Event& head = event_.head;
  head.set_type(v1::ROUTED);
  head.set_time_unix_ms(to_unix_ms(input_->now));
  head.set_queued_ms(
      std::max<std::int64_t>(0, to_unix_ms(input_->now) - message.accepted_unix_ms()));
  head.set_due_unix_ms(message.due_unix_ms());
  head.set_site(group.site.text());
  head.set_pool(input_->pool.text());
  head.set_delivery_index(delivery_.head.index());
  TRY_VOID(series_.begin(event_));
  for (const int place : recipients) TRY_VOID(add_event(recipient(place)));
  return {};
}

Result<void> Planner::add_event(const v1::Recipient& recipient) {
  TRY_VOID(series_.append_event(recipient.index(), recipient.address(), events_));
  out_->push_back({.where = events_at_,
                   .key = input_->message.head.message_id(),
                   .value = {},
                   .refers_to = std::nullopt});
  ends_.push_back(events_.size());
  return {};
}

// They share one buffer of their own.
void Planner::hand_out_events(std::span<log::Append> appends) const {
  const Bytes all = Bytes::copy_of(events_);
  std::size_t begin = 0;
  auto end = ends_.begin();
  for (log::Append& append : appends) {
    if (append.where.topic != log::Topic::kEvents) continue;
    append.value = all.slice(begin, *end - begin);
    begin = *end++;
  }
}

const v1::Recipient& Planner::recipient(int place) const {
  return input_->message.envelope.recipients(place);
}

}  // namespace godwit::router
