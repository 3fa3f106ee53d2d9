#include "sender/parked_index.h"

#include <algorithm>

#include "common/record/keys.h"

namespace godwit::sender {

namespace {

constexpr char kByTime = 'q';
constexpr char kByLane = 'l';
constexpr char kByContent = 'u';
constexpr char kThrottled = 't';
constexpr char kThrottledUrgent = 'u';
constexpr char kScheduled = 'd';
constexpr char kSuspended = 's';
constexpr std::size_t kIdBytes = 20;
constexpr std::size_t kRowBytes = 8 + 4 + 4 + 8 + 1;  // before the names

void put_be(std::string& out, std::uint64_t value, int octets) {
  for (int shift = 8 * (octets - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift & 0xff));
  }
}
void put_time(std::string& out, std::int64_t unix_ms) {
  put_be(out, static_cast<std::uint64_t>(std::max<std::int64_t>(unix_ms, 0)), 8);
}
std::uint64_t get_be(std::string_view octets) {
  std::uint64_t value = 0;
  for (const char octet : octets) value = value << 8 | static_cast<std::uint8_t>(octet);
  return value;
}

// Takes `count` octets off the front; empty when there are fewer.
std::string_view take(std::string_view& rest, std::size_t count) {
  if (rest.size() < count) {
    rest = {};
    return {};
  }
  const std::string_view front = rest.substr(0, count);
  rest.remove_prefix(count);
  return front;
}
std::optional<std::string_view> take_name(std::string_view& rest) {
  const std::size_t end = rest.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view name = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return name;
}
std::optional<DeliveryId> take_id(std::string_view& rest) {
  const std::string_view octets = take(rest, kIdBytes);
  if (octets.empty()) return std::nullopt;
  const auto message = MessageId::from_octets(octets.substr(0, 16));
  if (!message) return std::nullopt;
  return DeliveryId{*message, static_cast<std::uint32_t>(get_be(octets.substr(16)))};
}

char throttled(bool urgent) {
  return urgent ? kThrottledUrgent : kThrottled;
}
char kind_of(const v1::Delivery& parked) {
  if (parked.suspended()) return kSuspended;
  return parked.throttled() ? throttled(parked.class_() == v1::URGENT) : kScheduled;
}

std::string lane_prefix(const LaneId& lane, char kind) {
  std::string prefix(1, kByLane);
  prefix += lane.site.text();
  prefix += '\0';
  prefix += lane.pool.text();
  prefix += '\0';
  prefix += kind;
  return prefix;
}

}  // namespace

Timestamp look_at(const v1::Delivery& parked) {
  const std::int64_t expires = parked.expires_unix_ms();
  const std::int64_t due =
      parked.throttled() || parked.suspended() ? expires : parked.due_unix_ms();
  return from_unix_ms(expires > 0 ? std::min(due, expires) : parked.due_unix_ms());
}

std::uint32_t held_in(const v1::Envelope& envelope) {
  return static_cast<std::uint32_t>(std::ranges::count_if(
      envelope.recipients(), [](const v1::Recipient& one) { return one.held() != 0; }));
}

void index_retries(std::string_view key, std::string_view value, const log::Emit& emit) {
  if (!key.starts_with(record::kDeliveryPrefix)) return;
  v1::Delivery parked;
  if (!parked.ParseFromArray(value.data(), static_cast<int>(value.size()))) return;
  if (parked.message_id().size() != 16) return;
  std::string id = parked.message_id();
  put_be(id, parked.index(), 4);

  std::string by_time(1, kByTime);
  put_time(by_time, to_unix_ms(look_at(parked)));
  emit(by_time + id);

  std::string by_lane =
      lane_prefix({SiteName(parked.site()), PoolName(parked.pool())}, kind_of(parked));
  put_time(by_lane, parked.due_unix_ms());
  by_lane += id;
  put_time(by_lane, parked.accepted_unix_ms());
  v1::Envelope envelope;
  const bool opened = envelope.ParseFromString(parked.envelope().data());
  put_be(by_lane, opened ? static_cast<std::uint64_t>(envelope.recipients_size()) : 0, 4);
  put_be(by_lane, opened ? held_in(envelope) : 0, 4);
  put_be(by_lane, parked.content().size(), 8);
  put_be(by_lane, static_cast<std::uint64_t>(parked.class_()), 1);
  by_lane += parked.tenant();
  by_lane += '\0';
  by_lane += parked.domain();
  by_lane += '\0';
  for (const std::string& tag : parked.tags()) {
    by_lane += tag;
    by_lane += '\0';
  }
  emit(std::move(by_lane));

  if (parked.content().parked()) emit(std::string(1, kByContent) + id);
}

std::string due_bound(Timestamp at) {
  std::string bound(1, kByTime);
  put_time(bound, to_unix_ms(at));
  return bound;
}

std::string due_key(const DueEntry& entry) {
  std::string key = due_bound(entry.at);
  key += entry.id.message.octets();
  put_be(key, entry.id.index, 4);
  return key;
}

std::optional<DueEntry> parse_due(std::string_view entry) {
  if (!entry.starts_with(kByTime) || entry.size() != 1 + 8 + kIdBytes) return std::nullopt;
  entry.remove_prefix(1);
  const auto at = static_cast<std::int64_t>(get_be(take(entry, 8)));
  const auto id = take_id(entry);
  if (!id) return std::nullopt;
  return DueEntry{from_unix_ms(at), *id};
}

std::optional<LaneEntry> parse_lane(std::string_view entry) {
  if (!entry.starts_with(kByLane)) return std::nullopt;
  entry.remove_prefix(1);
  LaneEntry parsed;
  const auto site = take_name(entry);
  const auto pool = take_name(entry);
  if (!site || !pool || entry.size() < 1 + 8 + kIdBytes + kRowBytes + 1) return std::nullopt;
  parsed.lane = {SiteName(std::string(*site)), PoolName(std::string(*pool))};
  const char kind = take(entry, 1).front();
  parsed.suspended = kind == kSuspended;
  parsed.throttled = kind == kThrottledUrgent || kind == kThrottled;
  parsed.due = from_unix_ms(static_cast<std::int64_t>(get_be(take(entry, 8))));
  const auto id = take_id(entry);
  if (!id) return std::nullopt;
  parsed.id = *id;
  parsed.accepted = from_unix_ms(static_cast<std::int64_t>(get_be(take(entry, 8))));
  parsed.recipients = static_cast<std::uint32_t>(get_be(take(entry, 4)));
  parsed.held = static_cast<std::uint32_t>(get_be(take(entry, 4)));
  parsed.bytes = get_be(take(entry, 8));
  parsed.urgent = get_be(take(entry, 1)) == v1::URGENT;
  const auto tenant = take_name(entry);
  const auto domain = take_name(entry);
  if (!tenant || !domain) return std::nullopt;
  parsed.tenant = *tenant;
  parsed.domain = *domain;
  while (const auto tag = take_name(entry)) parsed.tags.emplace_back(*tag);
  return parsed;
}

std::string lanes_begin() {
  return std::string(1, kByLane);
}
std::string lanes_end() {
  return std::string(1, kByLane + 1);
}
std::string waiting_begin(const LaneId& lane, bool urgent) {
  return lane_prefix(lane, throttled(urgent));
}
std::string waiting_end(const LaneId& lane, bool urgent) {
  return lane_prefix(lane, static_cast<char>(throttled(urgent) + 1));
}

std::string content_users_begin(const MessageId& content) {
  return std::string(1, kByContent) + std::string(content.octets());
}
std::string content_users_end(const MessageId& content) {
  return content_users_begin(content) + std::string(5, '\xff');
}
std::optional<DeliveryId> parse_content_user(std::string_view entry) {
  if (!entry.starts_with(kByContent) || entry.size() != 1 + kIdBytes) return std::nullopt;
  entry.remove_prefix(1);
  return take_id(entry);
}

}  // namespace godwit::sender
