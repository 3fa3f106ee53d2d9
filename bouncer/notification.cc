#include "bouncer/notification.h"

#include "common/base/check.h"
#include "common/base/crc32c.h"
#include "common/log/by_message.h"
#include "common/mail/content.h"
#include "common/record/event_view.h"
#include "common/report/dsn.h"
#include "common/smtp/dot_stuffing.h"

namespace godwit::bouncer {
namespace {

report::Action action_of(v1::EventType type) {
  switch (type) {
    case v1::DELIVERED: return report::Action::kRelayed;  // a relay does not see the mailbox
    case v1::DEFERRED: return report::Action::kDelayed;
    default: return report::Action::kFailed;
  }
}

// The status of the reply, as far as it fits what the action says (RFC 3464 s2.3.4).
smtp::EnhancedCode status_of(const v1::Event& event, report::Action action) {
  const std::uint16_t wanted = action == report::Action::kRelayed   ? 2
                               : action == report::Action::kDelayed ? 4
                                                                    : 5;
  const auto said = smtp::EnhancedCode::parse(event.reply().enhanced());
  if (said && said->status_class == wanted) return *said;
  if (event.type() == v1::EXPIRED) return {4, 4, 7};  // RFC 3463 s3.5: delivery time expired
  return {wanted, 0, 0};
}

report::DsnRecipient recipient_of(const Noticed& one) {
  const v1::Event& event = one.event.head;
  report::DsnRecipient out;
  out.recipient = one.event.addresses.recipient();
  out.orcpt = one.notice.orcpt();
  out.action = action_of(event.type());
  out.status = status_of(event, out.action);
  out.remote_host = event.remote().host();
  if (event.reply().code() != 0) out.diagnostic = std::to_string(event.reply().code()) + " ";
  if (event.reply().code() != 0 && !event.reply().enhanced().empty())
    out.diagnostic += event.reply().enhanced() + " ";
  out.diagnostic += event.reply().text();
  out.last_attempt = from_unix_ms(event.time_unix_ms());
  if (one.notice.expires_unix_ms() != 0)
    out.will_retry_until = from_unix_ms(one.notice.expires_unix_ms());
  return out;
}

}  // namespace

bool belong_together(const Noticed& a, const Noticed& b) {
  const v1::Event& one = a.event.head;
  const v1::Event& other = b.event.head;
  return one.message_id() == other.message_id() && one.delivery_index() == other.delivery_index() &&
         one.type() == other.type() && one.attempt() == other.attempt();
}

Result<log::Append> notify(std::span<const Noticed> events, const NotificationContext& context) {
  const Noticed& first = events.front();
  const v1::Event& event = first.event.head;
  CHECK(!first.event.addresses.sender().empty(), "nobody is told about mail of the null sender");
  const Timestamp time = from_unix_ms(event.time_unix_ms());
  report::DsnContent content;
  content.id = report::derived_id(time, "dsn " + record::event_id(event));
  content.host = context.node;
  content.to = first.event.addresses.sender();
  content.now = time;
  content.arrival = from_unix_ms(first.notice.accepted_unix_ms());
  content.envelope_id = first.notice.envid();
  content.returned = first.notice.returned();
  content.returned_whole = first.notice.whole();
  for (const Noticed& one : events) content.recipients.push_back(recipient_of(one));
  report::Dsn dsn = report::write_dsn(content);

  record::Message message;
  v1::Message& head = message.head;
  head.set_message_id(std::string(content.id.octets()));
  head.set_accepted_unix_ms(to_unix_ms(time));
  head.set_tenant(event.tenant());
  head.set_total(1);
  head.set_smtputf8(dsn.smtputf8);
  head.set_body_8bitmime(dsn.has_8bit);
  head.mutable_origin()->set_listener("bouncer");
  head.mutable_origin()->set_node(context.node);
  v1::Recipient& to = *message.envelope.add_recipients();
  to.set_address(content.to);
  to.set_notify(v1::Recipient::NOTIFY_NEVER);  // RFC 3461 s6.2
  const std::uint64_t size = dsn.content.size();
  message.data = smtp::dot_stuffed(Rope(Bytes::adopt(std::move(dsn.content))));
  message.content.set_size(message.data.size());
  message.content.set_crc32c(crc32c(message.data));
  message.content.set_has_8bit(dsn.has_8bit);
  message.content.set_dot_stuffed(true);
  message.content.set_size_unstuffed(size);
  TRY(Rope value, record::encode(message));
  return log::Append{
      .where = {log::Topic::kAccepted, log::partition_of(content.id, context.accepted_partitions)},
      .key = std::string(content.id.octets()),
      .value = std::move(value),
      .refers_to = std::nullopt};
}

}  // namespace godwit::bouncer
