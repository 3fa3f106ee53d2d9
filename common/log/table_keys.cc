#include "common/log/table_keys.h"

#include <cstring>

namespace godwit::log {
namespace {

void put_big_endian(std::string& out, std::uint64_t value, int octets) {
  for (int shift = 8 * (octets - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift & 0xff));
  }
}

std::uint64_t get_big_endian(std::string_view octets) {
  std::uint64_t value = 0;
  for (const char octet : octets) value = value << 8 | static_cast<unsigned char>(octet);
  return value;
}

constexpr std::size_t kWhereBytes = 5;

void put_where(std::string& out, TopicPartition where) {
  out.push_back(static_cast<char>(where.topic));
  put_big_endian(out, where.partition, 4);
}

std::optional<TopicPartition> get_where(std::string_view octets) {
  const auto topic = static_cast<unsigned char>(octets[0]);
  if (topic < 1 || topic > kTopicMax) return std::nullopt;
  return TopicPartition{static_cast<Topic>(topic),
                        static_cast<PartitionId>(get_big_endian(octets.substr(1, 4)))};
}

}  // namespace

std::string table_prefix(TopicPartition where) {
  std::string prefix;
  prefix.push_back(static_cast<char>(where.topic));
  if (is_partition_owned(where.topic)) put_big_endian(prefix, where.partition, 4);
  return prefix;
}

std::string prefix_end(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  if (!prefix.empty())
    prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

std::string encode_checkpoint(StreamPosition position, std::uint64_t needed_from) {
  std::string out;
  put_big_endian(out, position.segment, 8);
  put_big_endian(out, position.offset, 4);
  put_big_endian(out, needed_from, 8);
  return out;
}

std::optional<Checkpoint> decode_checkpoint(std::string_view value) {
  if (value.size() != 20) return std::nullopt;
  return Checkpoint{{get_big_endian(value.substr(0, 8)),
                     static_cast<std::uint32_t>(get_big_endian(value.substr(8, 4)))},
                    get_big_endian(value.substr(12))};
}

std::string group_key(std::string_view group, TopicPartition where) {
  std::string key(kGroupPrefix);
  key.append(group);
  key.push_back('\0');
  put_where(key, where);
  return key;
}

std::optional<GroupPosition> decode_group(std::string_view key, std::string_view value) {
  if (!key.starts_with(kGroupPrefix) || value.size() != 8) return std::nullopt;
  key.remove_prefix(kGroupPrefix.size());
  if (key.size() < kWhereBytes + 1) return std::nullopt;
  const auto where = get_where(key.substr(key.size() - kWhereBytes));
  if (!where || key[key.size() - kWhereBytes - 1] != '\0') return std::nullopt;
  return GroupPosition{std::string(key.substr(0, key.size() - kWhereBytes - 1)),
                       {*where, static_cast<Offset>(get_big_endian(value))}};
}

std::string encode_offset(Offset offset) {
  std::string out;
  put_big_endian(out, static_cast<std::uint64_t>(offset), 8);
  return out;
}

std::string encode_next_offsets(const std::vector<PositionChange>& next) {
  std::string out;
  for (const PositionChange& change : next) {
    put_where(out, change.where);
    put_big_endian(out, static_cast<std::uint64_t>(change.next), 8);
  }
  return out;
}

std::optional<std::vector<PositionChange>> decode_next_offsets(std::string_view value) {
  std::vector<PositionChange> next;
  for (; value.size() >= kWhereBytes + 8; value.remove_prefix(kWhereBytes + 8)) {
    const auto where = get_where(value);
    if (!where) return std::nullopt;
    next.push_back({*where, static_cast<Offset>(get_big_endian(value.substr(kWhereBytes, 8)))});
  }
  if (!value.empty()) return std::nullopt;
  return next;
}

}  // namespace godwit::log
