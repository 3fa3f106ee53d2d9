#include "bouncer/attribution.h"

#include <algorithm>
#include <optional>

#include "common/report/return_address.h"
#include "common/text/escape.h"
#include "common/text/idna.h"

namespace godwit::bouncer {
namespace {

constexpr std::size_t kTextBytesMax = 1024;  // as Reply::text

// Whose the message was. Domains of one tenant are its alone; at bounce.domain the tag says it.
std::string tenant_of(const report::ReturnAddress& address, std::string_view owner,
                      const control::Snapshot& control) {
  const auto found = std::ranges::find_if(control.tenants, [&](const auto& one) {
    return report::tenant_tag(one.first) == address.tenant_tag;
  });
  return found == control.tenants.end() ? std::string(owner) : found->first;
}

// Which of the report's recipients: the only one, or the first that failed.
const report::RecipientReport* recipient_of(const report::Report& report) {
  const auto failed = std::ranges::find(report.recipients, report::Action::kFailed,
                                        &report::RecipientReport::action);
  if (failed != report.recipients.end()) return &*failed;
  return report.recipients.empty() ? nullptr : &report.recipients.front();
}

record::Event event_of(const report::ReturnAddress& address, v1::EventType type,
                       const record::Message& message, const AttributionContext& context) {
  record::Event event;
  v1::Event& head = event.head;
  head.set_version(record::kVersion);
  head.set_type(type);
  head.set_time_unix_ms(to_unix_ms(context.now));
  head.set_message_id(std::string(address.message.octets()));
  head.set_index(address.index);
  head.set_tenant(tenant_of(address, message.head.tenant(), context.control));
  head.set_node(context.node);
  return event;
}

void say_why(record::Event& event, const report::RecipientReport& said) {
  v1::Event& head = event.head;
  event.addresses.set_recipient(said.original.empty() ? said.recipient : said.original);
  if (!said.remote_host.empty())
    head.mutable_remote()->set_host(text::printable(said.remote_host, kTextBytesMax));
  v1::Reply& reply = *head.mutable_reply();
  reply.set_code(static_cast<std::uint32_t>(std::max(said.code, 0)));
  if (said.status) reply.set_enhanced(said.status->to_text());
  reply.set_text(said.diagnostic);
  head.set_class_(std::string(said.category));
}

}  // namespace

std::vector<record::Event> attribute(const report::Report& report, const record::Message& message,
                                     const AttributionContext& context) {
  std::vector<record::Event> events;
  if (context.return_path.keys == nullptr) return events;
  const report::RecipientReport* said = recipient_of(report);
  const bool failed = report.kind == report::Kind::kBounce &&
                      (said == nullptr || said->action == report::Action::kFailed);
  if (!failed && report.kind != report::Kind::kFeedback) return events;
  const v1::EventType type = failed ? v1::BOUNCED : v1::COMPLAINED;
  const auto add = [&](std::string_view return_address) {
    const auto address = context.return_path.keys->decode(return_address);
    if (!address) return;
    record::Event event = event_of(*address, type, message, context);
    if (failed) event.head.set_late(true);
    if (said != nullptr) say_why(event, *said);
    if (event.head.class_().empty() && failed) event.head.set_class_("other");
    events.push_back(std::move(event));
  };
  for (const v1::Recipient& recipient : message.envelope.recipients()) add(recipient.address());
  if (events.empty() && report.kind == report::Kind::kFeedback) add(report.original_sender);
  return events;
}

}  // namespace godwit::bouncer
