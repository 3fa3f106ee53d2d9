#include "cli/admin/event_line.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/admin/time_text.h"
#include "common/record/event_view.h"
#include "common/record/records.h"
#include "common/text/escape.h"

namespace godwit::cli::admin {
namespace {

constexpr std::size_t kAddressBytesMax = 320;
constexpr std::size_t kReplyBytesMax = 300;
constexpr std::size_t kNameBytesMax = 260;

std::string remote_text(const v1::RemoteHost& remote) {
  const std::string host = text::printable(remote.host(), kNameBytesMax);
  const std::string address = text::printable(remote.address(), kNameBytesMax);
  if (host.empty()) return address;
  return address.empty() ? host : fmt::format("{} ({})", host, address);
}

std::string reply_text(const v1::Reply& reply) {
  std::string out;
  if (reply.code() != 0) out = std::to_string(reply.code());
  if (!reply.enhanced().empty()) {
    out += (out.empty() ? "" : " ") + text::printable(reply.enhanced(), kNameBytesMax);
  }
  if (!reply.text().empty()) {
    out += (out.empty() ? "" : " ") + text::printable(reply.text(), kReplyBytesMax);
  }
  return out;
}

}  // namespace

std::string event_line(const record::Event& event) {
  const v1::Event& head = event.head;
  const std::string_view type = record::event_type_name(head.type());
  const RecipientId id{MessageId::from_octets(head.message_id()).value_or(MessageId{}),
                       head.index()};
  std::string line = fmt::format("{}  {:<11} {}  {}", time_text(from_unix_ms(head.time_unix_ms())),
                                 type.empty() ? "unknown" : type, id.to_text(),
                                 text::printable(event.addresses.recipient(), kAddressBytesMax));
  const auto add = [&](std::string_view part) {
    if (!part.empty()) line.append("  ").append(part);
  };
  if (head.attempt() > 0) {
    const std::string remote = remote_text(head.remote());
    add(fmt::format("attempt {}{}{}", head.attempt(), remote.empty() ? "" : " via ", remote));
  } else if (!head.site().empty()) {
    add("to " + text::printable(head.site(), kNameBytesMax));
  }
  add(reply_text(head.reply()));
  if (!head.class_().empty()) add("[" + text::printable(head.class_(), kNameBytesMax) + "]");
  if (head.outcome() == v1::Event::OUTCOME_UNKNOWN) add("outcome unknown");
  if (head.held()) add("held");
  if (head.late()) add("late");
  if (head.due_unix_ms() > head.time_unix_ms()) {
    add("next " + age_text(from_unix_ms(head.due_unix_ms()), from_unix_ms(head.time_unix_ms())));
  }
  line += '\n';
  return line;
}

}  // namespace godwit::cli::admin
