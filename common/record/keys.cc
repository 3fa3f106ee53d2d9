#include "common/record/keys.h"

namespace godwit::record {
namespace {

constexpr char kLaneSeparator = '\0';

std::optional<std::string_view> behind(std::string_view key, std::string_view prefix) {
  if (!key.starts_with(prefix)) return std::nullopt;
  return key.substr(prefix.size());
}

}  // namespace

std::string delivery_key(const DeliveryId& id) {
  return std::string(kDeliveryPrefix) + id.to_text();
}

std::string content_key(const MessageId& content) {
  return std::string(kContentPrefix) + content.to_text();
}

std::string lane_key(const LaneId& lane) {
  std::string key;
  key.reserve(kLanePrefix.size() + lane.site.text().size() + 1 + lane.pool.text().size());
  key += kLanePrefix;
  key += lane.site.text();
  key += kLaneSeparator;
  key += lane.pool.text();
  return key;
}

std::string slot_key(std::string_view topic, std::int64_t offset) {
  std::string key(kSlotPrefix);
  key += topic;
  key += '/';
  return key + std::to_string(offset);
}

std::optional<DeliveryId> delivery_of_key(std::string_view key) {
  const std::optional<std::string_view> id = behind(key, kDeliveryPrefix);
  return id ? DeliveryId::from_text(*id) : std::nullopt;
}

std::optional<MessageId> content_of_key(std::string_view key) {
  const std::optional<std::string_view> id = behind(key, kContentPrefix);
  return id ? MessageId::from_text(*id) : std::nullopt;
}

std::optional<LaneId> lane_of_key(std::string_view key) {
  const std::optional<std::string_view> lane = behind(key, kLanePrefix);
  if (!lane) return std::nullopt;
  const std::size_t separator = lane->find(kLaneSeparator);
  if (separator == std::string_view::npos) return std::nullopt;
  return LaneId{SiteName(std::string(lane->substr(0, separator))),
                PoolName(std::string(lane->substr(separator + 1)))};
}

std::string dead_key(std::string_view topic, std::uint32_t partition, std::int64_t offset,
                     std::uint32_t part) {
  std::string key(topic);
  key += '/' + std::to_string(partition) + '/' + std::to_string(offset);
  if (part > 0) key += '/' + std::to_string(part);
  return key;
}

}  // namespace godwit::record
