#include "sender/notice.h"

#include <algorithm>
#include <array>

#include "common/mail/header.h"
#include "common/smtp/dot_stuffing.h"
#include "common/text/idna.h"

namespace godwit::sender {
namespace {

// The bits of NOTIFY that ask for an event of this type.
std::uint32_t notify_of(v1::EventType type) {
  switch (type) {
    case v1::DELIVERED: return v1::Recipient::NOTIFY_SUCCESS;
    case v1::BOUNCED:
    case v1::EXPIRED: return v1::Recipient::NOTIFY_FAILURE;
    case v1::DEFERRED: return v1::Recipient::NOTIFY_DELAY;
    default: return 0;
  }
}

bool is_failure(v1::EventType type) {
  return type == v1::BOUNCED || type == v1::EXPIRED;
}

}  // namespace

bool wants_notice(v1::EventType type, const QueuedDelivery& delivery,
                  const v1::Recipient& recipient, bool passed_on, const NoticeRules& rules,
                  Timestamp now) {
  const std::string& sender = delivery.record.envelope.sender();
  const v1::Delivery& head = delivery.record.head;
  if (rules.control == nullptr || sender.empty() || head.origin_protocol() == "HTTP") return false;
  const control::Tenant* tenant = rules.control->tenant(head.tenant());
  if (tenant != nullptr && !tenant->dsn) return false;
  if (recipient.notify() == v1::Recipient::NOTIFY_UNSET) {
    if (!is_failure(type)) return false;
    return rules.return_path == nullptr ||
           rules.return_path->domain_for(*rules.control, head.tenant(), sender).empty();
  }
  if ((recipient.notify() & notify_of(type)) == 0) return false;
  if (type == v1::DELIVERED) return !passed_on;
  if (type == v1::DEFERRED)
    return !head.delay_told() && now - delivery.accepted() >= rules.delay_after;
  return true;
}

v1::Notice make_notice(v1::EventType type, const QueuedDelivery& delivery,
                       const v1::Recipient& recipient, bool with_returned) {
  const v1::Envelope& envelope = delivery.record.envelope;
  v1::Notice notice;
  notice.set_ret(envelope.ret());
  notice.set_envid(envelope.envid());
  notice.set_orcpt(recipient.orcpt());
  notice.set_accepted_unix_ms(delivery.record.head.accepted_unix_ms());
  if (type == v1::DEFERRED) notice.set_expires_unix_ms(to_unix_ms(delivery.expires));
  if (!with_returned) return notice;
  const Rope& content = delivery.content;
  if (content.empty()) {
    notice.set_returned(delivery.record.head.header());
  } else if (is_failure(type) && envelope.ret() == v1::Envelope::RET_FULL &&
             content.size() <= kReturnedWholeBytesMax) {
    // RFC 3461 s4.3: RET is about failures; of good news and delays the header goes back.
    const std::string octets = content.to_string();
    notice.set_returned(delivery.record.content.dot_stuffed() ? smtp::dot_unstuffed(octets)
                                                              : octets);
    notice.set_whole(true);
  } else {
    notice.set_returned(std::string(mail::Header::scan(content, kReturnedHeaderBytesMax).octets()));
  }
  return notice;
}

void keep_header(QueuedDelivery& delivery) {
  static constexpr std::array<std::string_view, 7> kFields{
      "From", "Sender", "To", "Subject", "Date", "Message-ID", "Reply-To"};
  v1::Delivery& head = delivery.record.head;
  if (delivery.content.empty() || !head.header().empty()) return;
  std::string kept;
  const mail::Header header = mail::Header::scan(delivery.content, kReturnedHeaderBytesMax);
  for (auto field = header.begin(); field != header.end_of_fields(); ++field) {
    const bool wanted = std::ranges::any_of(kFields, [&](std::string_view name) {
      return text::equals_ignoring_case(name, field->name);
    });
    if (wanted && kept.size() + field->raw.size() <= kKeptHeaderBytesMax) kept += field->raw;
  }
  head.set_header(std::move(kept));
}

}  // namespace godwit::sender
