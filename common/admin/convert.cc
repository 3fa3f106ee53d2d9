#include "common/admin/convert.h"

#include <algorithm>
#include <string>

#include "common/admin/errc.h"
#include "godwit/admin/v1/admin.pb.h"

namespace godwit::admin {
namespace {

constexpr std::uint32_t kQueueRowsDefault = 50;
constexpr std::uint32_t kQueueRowsMax = 1'000;

void counts_to(const QueueCounts& counts, auto& message) {
  message.set_total(counts.total());
  message.set_waiting(counts.waiting);
  message.set_active(counts.active);
  message.set_parked(counts.parked);
  message.set_suspended_count(counts.suspended);
  message.set_bytes(counts.bytes);
  message.set_oldest_accepted_unix_ms(to_unix_ms(counts.oldest_accepted));
  message.set_next_due_unix_ms(to_unix_ms(counts.next_due));
}

QueueCounts counts_from(const auto& message) {
  return {.waiting = message.waiting(),
          .active = message.active(),
          .parked = message.parked(),
          .suspended = message.suspended_count(),
          .bytes = message.bytes(),
          .oldest_accepted = from_unix_ms(message.oldest_accepted_unix_ms()),
          .next_due = from_unix_ms(message.next_due_unix_ms())};
}

log::Topic topic_from_name(std::string_view name) {
  for (int number = 1; number <= log::kTopicMax; ++number) {
    const auto topic = static_cast<log::Topic>(number);
    if (log::topic_name(topic) == name) return topic;
  }
  return {};
}

}  // namespace

void to_message(const NodeInfo& info, v1::NodeInfoResponse& message) {
  message.set_node(info.node);
  message.set_version(info.version);
  message.set_cluster(info.cluster);
  message.set_started_unix_ms(to_unix_ms(info.started));
  message.set_now_unix_ms(to_unix_ms(info.now));
  message.set_draining(info.draining);
  message.set_pid(info.pid);
  for (const std::string& address : info.addresses) message.add_addresses(address);
  for (const RoleInfo& role : info.roles) {
    auto& into = *message.add_roles();
    into.set_name(role.name);
    into.set_problem(role.problem);
  }
}

NodeInfo from_message(const v1::NodeInfoResponse& message) {
  NodeInfo info{.node = message.node(),
                .version = message.version(),
                .cluster = message.cluster(),
                .started = from_unix_ms(message.started_unix_ms()),
                .now = from_unix_ms(message.now_unix_ms()),
                .draining = message.draining(),
                .pid = message.pid(),
                .addresses = {message.addresses().begin(), message.addresses().end()}};
  for (const auto& role : message.roles()) info.roles.push_back({role.name(), role.problem()});
  return info;
}

void to_message(const QueueQuery& query, v1::QueueSummaryRequest& message) {
  message.set_by(static_cast<v1::QueueSummaryRequest::By>(query.by));
  message.set_rows_max(query.rows_max);
}

Result<QueueQuery> from_message(const v1::QueueSummaryRequest& message) {
  if (!v1::QueueSummaryRequest::By_IsValid(message.by())) {
    return fail(Errc::kInvalid, "unknown grouping of the queue");
  }
  if (message.rows_max() > kQueueRowsMax) {
    return fail(Errc::kInvalid, "rows_max is over " + std::to_string(kQueueRowsMax));
  }
  return QueueQuery{.by = static_cast<QueueBy>(message.by()),
                    .rows_max = message.rows_max() == 0 ? kQueueRowsDefault : message.rows_max()};
}

void to_message(const QueueSummary& summary, v1::QueueSummaryResponse& message) {
  counts_to(summary.counts, message);
  message.set_rows_total(summary.rows_total);
  for (const QueueRow& row : summary.rows) {
    auto& into = *message.add_rows();
    into.set_name(row.name);
    into.set_suspended(row.suspended);
    counts_to(row.counts, into);
  }
}

QueueSummary from_message(const v1::QueueSummaryResponse& message) {
  QueueSummary summary{.counts = counts_from(message), .rows_total = message.rows_total()};
  for (const auto& row : message.rows()) {
    summary.rows.push_back(
        {.name = row.name(), .counts = counts_from(row), .suspended = row.suspended()});
  }
  return summary;
}

void to_message(const accounting::DeadList& list, v1::DeadListResponse& message) {
  message.set_total(list.total);
  for (const accounting::DeadRow& row : list.rows) {
    auto& into = *message.add_rows();
    into.set_topic(std::string(log::topic_name(row.topic)));
    into.set_partition(row.partition);
    into.set_offset(row.offset);
    into.set_time_unix_ms(to_unix_ms(row.time));
    into.set_role(row.role);
    into.set_cause(row.cause);
    into.set_crashes(row.crashes);
    into.set_size(row.size);
    into.set_recipients(row.recipients);
    into.set_key(row.key);
  }
}

accounting::DeadList from_message(const v1::DeadListResponse& message) {
  accounting::DeadList list{.total = message.total()};
  for (const auto& row : message.rows()) {
    list.rows.push_back({.key = row.key(),
                         .topic = topic_from_name(row.topic()),
                         .partition = row.partition(),
                         .offset = row.offset(),
                         .time = from_unix_ms(row.time_unix_ms()),
                         .role = row.role(),
                         .cause = row.cause(),
                         .crashes = row.crashes(),
                         .size = row.size(),
                         .recipients = row.recipients()});
  }
  return list;
}

void to_message(const accounting::EventQuery& query, v1::EventsRequest& message) {
  message.set_since_unix_ms(to_unix_ms(query.since));
  message.set_follow(query.follow);
  message.set_only_new(query.only_new);
  for (const int type : query.types) {
    message.add_types(static_cast<godwit::v1::EventType>(type));
  }
  message.set_tenant(query.tenant);
  if (query.message) message.set_message_id(std::string(query.message->octets()));
  message.set_recipient(query.recipient);
  message.set_site(query.site);
}

Result<accounting::EventQuery> from_message(const v1::EventsRequest& message) {
  accounting::EventQuery query{.since = from_unix_ms(message.since_unix_ms()),
                               .only_new = message.only_new(),
                               .follow = message.follow(),
                               .types = {message.types().begin(), message.types().end()},
                               .tenant = message.tenant(),
                               .recipient = message.recipient(),
                               .site = message.site()};
  if (!std::ranges::all_of(query.types, godwit::v1::EventType_IsValid)) {
    return fail(Errc::kInvalid, "unknown event type");
  }
  if (!message.message_id().empty()) {
    query.message = MessageId::from_octets(message.message_id());
    if (!query.message) return fail(Errc::kInvalid, "a message id has 16 octets");
  }
  return query;
}

void to_message(const audit::Report& report, v1::AuditReport& message) {
  message.set_accepted(report.accepted);
  message.set_delivered(report.delivered);
  message.set_bounced(report.bounced);
  message.set_expired(report.expired);
  message.set_suppressed(report.suppressed);
  message.set_cancelled(report.cancelled);
  message.set_pending_unrouted(report.pending_unrouted);
  message.set_pending_outbound(report.pending_outbound);
  message.set_pending_parked(report.pending_parked);
  message.set_held(report.held);
  message.set_missing(report.missing);
  message.set_doubled(report.doubled);
  message.set_doubled_outside(report.doubled_outside);
  message.set_repeated_records(report.repeated_records);
  message.set_late_bounces(report.late_bounces);
  message.set_outside(report.outside);
  message.set_ended_and_queued(report.ended_and_queued);
  message.set_unreadable_records(report.unreadable_records);
  message.set_passes(report.passes);
  message.set_duration_ms(report.duration_ms);
  message.set_exceptions_total(report.exceptions_total());
  for (const audit::Exception& exception : report.exceptions) {
    auto& into = *message.add_exceptions();
    into.set_kind(exception.kind == audit::Exception::Kind::kMissing ? "missing" : "doubled");
    into.set_recipient_id(exception.recipient.to_text());
    for (const auto& seen : exception.endings) {
      auto& ending = *into.add_endings();
      ending.set_type(static_cast<godwit::v1::EventType>(seen.ending));
      ending.set_attempt(seen.attempt);
    }
  }
}

audit::Report from_message(const v1::AuditReport& message) {
  audit::Report report{.accepted = message.accepted(),
                       .delivered = message.delivered(),
                       .bounced = message.bounced(),
                       .expired = message.expired(),
                       .suppressed = message.suppressed(),
                       .cancelled = message.cancelled(),
                       .pending_unrouted = message.pending_unrouted(),
                       .pending_outbound = message.pending_outbound(),
                       .pending_parked = message.pending_parked(),
                       .held = message.held(),
                       .missing = message.missing(),
                       .doubled = message.doubled(),
                       .doubled_outside = message.doubled_outside(),
                       .repeated_records = message.repeated_records(),
                       .late_bounces = message.late_bounces(),
                       .outside = message.outside(),
                       .ended_and_queued = message.ended_and_queued(),
                       .unreadable_records = message.unreadable_records(),
                       .passes = message.passes(),
                       .duration_ms = message.duration_ms()};
  for (const auto& item : message.exceptions()) {
    audit::Exception exception{
        .kind = item.kind() == "missing" ? audit::Exception::Kind::kMissing
                                         : audit::Exception::Kind::kDoubled,
        .recipient = RecipientId::from_text(item.recipient_id()).value_or(RecipientId{})};
    for (const auto& seen : item.endings()) {
      exception.endings.push_back({static_cast<audit::Ending>(seen.type()), seen.attempt()});
    }
    report.exceptions.push_back(std::move(exception));
  }
  return report;
}

void to_message(const accounting::HeldList& list, v1::HeldListResponse& message) {
  message.set_total(list.total);
  for (const accounting::HeldRow& row : list.rows) {
    auto& into = *message.add_rows();
    into.set_delivery(row.delivery.to_text());
    into.set_partition(row.partition);
    into.set_tenant(row.tenant);
    into.set_sender(row.sender);
    into.mutable_recipients()->Add(row.recipients.begin(), row.recipients.end());
    into.set_site(row.site);
    into.set_pool(row.pool);
    into.set_reply(row.reply);
    into.set_accepted_unix_ms(to_unix_ms(row.accepted));
    into.set_expires_unix_ms(to_unix_ms(row.expires));
    into.set_attempts(row.attempts);
  }
}

accounting::HeldList from_message(const v1::HeldListResponse& message) {
  accounting::HeldList list{.rows = {}, .total = message.total()};
  for (const auto& row : message.rows()) {
    const auto delivery = DeliveryId::from_text(row.delivery());
    if (!delivery) continue;
    list.rows.push_back({.delivery = *delivery,
                         .partition = row.partition(),
                         .tenant = row.tenant(),
                         .sender = row.sender(),
                         .recipients = {row.recipients().begin(), row.recipients().end()},
                         .site = row.site(),
                         .pool = row.pool(),
                         .reply = row.reply(),
                         .accepted = from_unix_ms(row.accepted_unix_ms()),
                         .expires = from_unix_ms(row.expires_unix_ms()),
                         .attempts = row.attempts()});
  }
  return list;
}

}  // namespace godwit::admin
