#include "sender/settlement.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "common/base/check.h"
#include "common/text/escape.h"

namespace godwit::sender {

namespace {

constexpr std::size_t kReplyTextMax = 1024;

// Until the next one.
record::Event& event_of(const QueuedDelivery& delivery, const v1::Recipient& recipient,
                        v1::EventType type, std::uint32_t attempt,
                        const Settlement::Context& context) {
  const v1::Delivery& head = delivery.record.head;
  record::Event& event = EventRecord::blank();
  v1::Event& out = event.head;
  out.set_version(record::kVersion);
  out.set_type(type);
  out.set_time_unix_ms(to_unix_ms(context.now));
  out.set_message_id(head.message_id());
  out.set_index(recipient.index());
  out.set_delivery_index(delivery.id.index);
  out.set_tenant(head.tenant());
  out.set_attempt(attempt);
  out.set_site(head.site());
  out.set_pool(head.pool());
  out.set_size(delivery.record.content.size_unstuffed());
  out.set_node(context.node);
  out.set_queued_ms(to_unix_ms(context.now) - head.accepted_unix_ms());
  event.addresses.set_sender(delivery.record.envelope.sender());
  event.addresses.set_recipient(recipient.address());
  return event;
}

// Who stays in an envelope, as everybody in it is looked at in order.
class Stayers {
 public:
  explicit Stayers(v1::Envelope& envelope) : all_(*envelope.mutable_recipients()) {}

  v1::Recipient& stays(int index) {
    all_.SwapElements(count_, index);
    return *all_.Mutable(count_++);
  }
  void drop_others() {
    while (all_.size() > count_) all_.RemoveLast();
  }

 private:
  google::protobuf::RepeatedPtrField<v1::Recipient>& all_;
  int count_ = 0;
};

v1::EventType type_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kDelivered: return v1::DELIVERED;
    case Verdict::kBounced: return v1::BOUNCED;
    default: return v1::DEFERRED;
  }
}

// Puts the notices into the events of one settlement. The first of them returns the message for
// all.
class Notices {
 public:
  Notices(QueuedDelivery& delivery, const Settlement::Context& context)
      : delivery_(delivery), context_(context) {}

  void add(record::Event& event, const v1::Recipient& recipient, bool passed_on = false) {
    const v1::EventType type = event.head.type();
    if (!wants_notice(type, delivery_, recipient, passed_on, context_.notices, context_.now))
      return;
    event.head.mutable_notice()->set_data(
        make_notice(type, delivery_, recipient, !std::exchange(returned_[type], true))
            .SerializeAsString());
    delay_told_ = delay_told_ || type == v1::DEFERRED;
  }

  // What the state that goes on has to know. Before the envelope changes.
  void keep(const v1::Envelope& left) {
    if (delay_told_) delivery_.record.head.set_delay_told(true);
    const bool later = std::ranges::any_of(left.recipients(), [&](const v1::Recipient& one) {
      return wants_notice(v1::EXPIRED, delivery_, one, false, context_.notices, context_.now);
    });
    if (later) keep_header(delivery_);
  }

 private:
  QueuedDelivery& delivery_;
  const Settlement::Context& context_;
  std::map<v1::EventType, bool> returned_;
  bool delay_told_ = false;
};

}  // namespace

Settlement Settlement::of_attempt(QueuedDelivery& delivery, const AttemptReport& report,
                                  const Context& context) {
  v1::Delivery& head = delivery.record.head;
  v1::Envelope& envelope = delivery.record.envelope;
  CHECK(static_cast<std::size_t>(envelope.recipients_size()) == report.recipients.size(),
        "{} recipients, {} results", envelope.recipients_size(), report.recipients.size());
  const std::uint32_t attempt = head.attempts() + 1;
  const bool unknown = std::ranges::any_of(report.recipients, [](const RecipientResult& result) {
    return result.verdict == Verdict::kUnknown;
  });
  Timestamp due = context.schedule.next_attempt(attempt, context.now, delivery.expires,
                                                unknown && !context.hold_unknown, context.random);

  Settlement settlement;
  Notices notices(delivery, context);
  Stayers stayers(envelope);
  for (int i = 0; i < envelope.recipients_size(); ++i) {
    const RecipientResult& result = report.recipients[static_cast<std::size_t>(i)];
    const v1::Recipient& recipient = envelope.recipients(i);
    if (result.verdict == Verdict::kHeld) {
      stayers.stays(i);
      continue;
    }
    const v1::EventType type = type_of(result.verdict);
    record::Event& event = event_of(delivery, recipient, type, attempt, context);
    v1::Event& out = event.head;
    out.set_source(report.source.text());
    if (!report.host.empty() || !report.address.empty()) {
      out.mutable_remote()->set_host(report.host);
      out.mutable_remote()->set_address(report.address);
    }
    out.set_tls(report.tls);
    *out.mutable_reply() = result.reply;
    out.set_class_(result.category);
    if (type == v1::DEFERRED) {
      const bool held = result.verdict == Verdict::kUnknown && context.hold_unknown;
      if (result.verdict == Verdict::kUnknown) out.set_outcome(v1::Event::OUTCOME_UNKNOWN);
      out.set_held(held);
      if (!held) out.set_due_unix_ms(to_unix_ms(due));
      settlement.held_ += held ? 1 : 0;
      stayers.stays(i).set_held(held ? attempt : 0);
      *head.mutable_last_reply() = result.reply;
      head.set_last_class(result.category);
    }
    notices.add(event, recipient, report.dsn);
    settlement.events_.push_back(EventRecord::of(event));
  }
  stayers.drop_others();
  notices.keep(envelope);
  settlement.finished_ = envelope.recipients_size() == 0;
  if (all_held(envelope)) due = delivery.expires;
  head.set_attempts(attempt);
  head.set_due_unix_ms(to_unix_ms(due));
  head.set_throttled(false);
  return settlement;
}

Settlement Settlement::of_decision(QueuedDelivery& delivery, const v1::Decision& decision,
                                   const v1::Envelope& about, const Context& context) {
  v1::Delivery& head = delivery.record.head;
  v1::Envelope& envelope = delivery.record.envelope;
  const auto is_meant = [&about](const v1::Recipient& recipient) {
    return recipient.held() != 0 && std::ranges::any_of(about.recipients(), [&](const auto& one) {
             return one.index() == recipient.index() && one.held() == recipient.held();
           });
  };
  Settlement settlement;
  Notices notices(delivery, context);
  Stayers stayers(envelope);
  bool again = false;
  for (int i = 0; i < envelope.recipients_size(); ++i) {
    const v1::Recipient& recipient = envelope.recipients(i);
    if (!is_meant(recipient)) {
      stayers.stays(i);
      continue;
    }
    ++settlement.held_;
    if (decision.what() == v1::Decision::RETRY) {
      again = true;
      stayers.stays(i).clear_held();
      continue;
    }
    const bool delivered = decision.what() == v1::Decision::DELIVERED;
    record::Event& event = event_of(delivery, recipient, delivered ? v1::DELIVERED : v1::BOUNCED,
                                    head.attempts(), context);
    event.head.mutable_reply()->set_text("ended by " + decision.actor() +
                                         ": whether the host has it was not known");
    event.head.set_outcome(v1::Event::OUTCOME_UNKNOWN);
    if (!delivered) event.head.set_class_(head.last_class());
    notices.add(event, recipient);
    settlement.events_.push_back(EventRecord::of(event));
  }
  stayers.drop_others();
  settlement.finished_ = envelope.recipients_size() == 0;
  if (again) {
    head.set_due_unix_ms(to_unix_ms(context.now));
    head.set_throttled(false);
  } else if (all_held(envelope)) {
    head.set_due_unix_ms(to_unix_ms(delivery.expires));
  }
  return settlement;
}

Settlement Settlement::of_cancel(QueuedDelivery& delivery, const commands::Command& command,
                                 const Context& context) {
  v1::Delivery& head = delivery.record.head;
  v1::Envelope& envelope = delivery.record.envelope;
  Settlement settlement;
  Stayers stayers(envelope);
  for (int i = 0; i < envelope.recipients_size(); ++i) {
    const v1::Recipient& recipient = envelope.recipients(i);
    if (recipient.held() != 0) {
      stayers.stays(i);
      continue;
    }
    record::Event& event = event_of(delivery, recipient, v1::CANCELLED, head.attempts(), context);
    event.head.mutable_reply()->set_text(text::printable(
        fmt::format("cancelled by {} ({}): {}", command.actor, command.id.text(), command.reason),
        kReplyTextMax));
    settlement.events_.push_back(EventRecord::of(event));
  }
  stayers.drop_others();
  settlement.finished_ = envelope.recipients_size() == 0;
  if (!settlement.finished_) head.set_due_unix_ms(to_unix_ms(delivery.expires));
  return settlement;
}

std::uint32_t Settlement::add(Settlement later) {
  const auto count = static_cast<std::uint32_t>(later.events_.size());
  std::ranges::move(later.events_, std::back_inserter(events_));
  finished_ = later.finished_;
  return count;
}

Settlement Settlement::of_expiry(QueuedDelivery& delivery, const Context& context) {
  const v1::Delivery& head = delivery.record.head;
  Settlement settlement;
  Notices notices(delivery, context);
  for (const v1::Recipient& recipient : delivery.record.envelope.recipients()) {
    record::Event& event = event_of(delivery, recipient, v1::EXPIRED, head.attempts(), context);
    *event.head.mutable_reply() = head.last_reply();
    event.head.set_class_(head.last_class().empty() ? "message-expired" : head.last_class());
    notices.add(event, recipient);
    settlement.events_.push_back(EventRecord::of(event));
  }
  delivery.record.envelope.clear_recipients();
  settlement.finished_ = true;
  return settlement;
}

bool all_held(const v1::Envelope& envelope) {
  return envelope.recipients_size() > 0 &&
         std::ranges::all_of(envelope.recipients(),
                             [](const auto& one) { return one.held() != 0; });
}

}  // namespace godwit::sender
