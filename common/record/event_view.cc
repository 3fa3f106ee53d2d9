#include "common/record/event_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <nlohmann/json.hpp>

#include "common/base/check.h"

namespace godwit::record {
namespace {

using Json = nlohmann::ordered_json;

// Only what is there: an absent value and an absent key mean the same to a reader.
void add(Json& object, const char* key, const std::string& value) {
  if (!value.empty()) object[key] = value;
}
void add(Json& object, const char* key, std::uint64_t value) {
  if (value != 0) object[key] = value;
}

std::string message_id_text(const v1::Event& event) {
  return MessageId::from_octets(event.message_id()).value_or(MessageId{}).to_text();
}

Json reply_json(const v1::Reply& reply) {
  Json out = Json::object();
  out["code"] = reply.code();
  add(out, "enhanced", reply.enhanced());
  out["text"] = reply.text();
  add(out, "command", reply.command());
  return out;
}

Json remote_json(const v1::RemoteHost& remote) {
  Json out = Json::object();
  out["host"] = remote.host();
  out["address"] = remote.address();
  return out;
}

void add_attempt(Json& out, const v1::Event& event) {
  add(out, "attempt", event.attempt());
  add(out, "site", event.site());
  add(out, "pool", event.pool());
  add(out, "source", event.source());
  if (event.has_remote()) out["remote"] = remote_json(event.remote());
  if (event.has_reply()) out["reply"] = reply_json(event.reply());
  add(out, "tls", event.tls());
  add(out, "class", event.class_());
  if (event.outcome() == v1::Event::OUTCOME_UNKNOWN) out["outcome"] = "unknown";
  if (event.held()) out["held"] = true;
}

}  // namespace

std::string event_id(const v1::Event& event) {
  const std::string_view type = event_type_name(event.type());
  return fmt::format("{}/{}/{}/{}", message_id_text(event), event.index(),
                     type.empty() ? std::to_string(event.type()) : std::string(type),
                     event.attempt());
}

std::string_view event_type_name(v1::EventType type) {
  switch (type) {
    case v1::ACCEPTED: return "accepted";
    case v1::ROUTED: return "routed";
    case v1::DEFERRED: return "deferred";
    case v1::DELIVERED: return "delivered";
    case v1::BOUNCED: return "bounced";
    case v1::EXPIRED: return "expired";
    case v1::SUPPRESSED: return "suppressed";
    case v1::CANCELLED: return "cancelled";
    case v1::TRANSFERRED: return "transferred";
    case v1::COMPLAINED: return "complained";
    case v1::OPENED: return "opened";
    case v1::CLICKED: return "clicked";
    case v1::UNSUBSCRIBED: return "unsubscribed";
    default: return {};
  }
}

bool is_terminal(const v1::Event& event) {
  switch (event.type()) {
    case v1::DELIVERED:
    case v1::EXPIRED:
    case v1::SUPPRESSED:
    case v1::CANCELLED: return true;
    case v1::BOUNCED: return !event.late();
    default: return false;
  }
}

std::string format_rfc3339(Timestamp time) {
  // The years that four digits can say; anything else is a corrupt record's.
  constexpr std::int64_t kMsMax = 253'402'300'799'999;
  const std::int64_t ms = std::clamp<std::int64_t>(to_unix_ms(time), 0, kMsMax);
  const std::time_t seconds = ms / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> out{};
  const std::size_t length = std::strftime(out.data(), out.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  return fmt::format("{}.{:03}Z", std::string_view(out.data(), length), ms % 1000);
}

std::string event_json(const Event& event) {
  const v1::Event& head = event.head;
  const std::string_view type = event_type_name(head.type());
  Json out = Json::object();
  out["id"] = event_id(head);
  out["type"] = type.empty() ? std::string_view("unknown") : type;
  out["time"] = format_rfc3339(from_unix_ms(head.time_unix_ms()));
  out["message_id"] = message_id_text(head);
  out["tenant"] = head.tenant();
  out["sender"] = event.addresses.sender();
  out["recipient"] = event.addresses.recipient();
  add_attempt(out, head);
  if (head.late()) out["late"] = true;
  if (head.due_unix_ms() != 0) out["due"] = format_rfc3339(from_unix_ms(head.due_unix_ms()));
  if (head.queued_ms() > 0) out["queued_ms"] = head.queued_ms();
  add(out, "size", head.size());
  if (!head.tags().empty())
    out["tags"] = std::vector<std::string>(head.tags().begin(), head.tags().end());
  add(out, "node", head.node());
  out["index"] = head.index();
  if (head.type() != v1::ACCEPTED) {
    out["delivery"] = message_id_text(head) + "/" + std::to_string(head.delivery_index());
  }
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace godwit::record
