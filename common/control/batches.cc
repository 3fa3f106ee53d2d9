#include "common/control/batches.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "godwit/v1/control.pb.h"

namespace godwit::control {
namespace {

constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kBatchTextBytes = 33;
constexpr std::size_t kSupersededMax = 1'000;
constexpr log::TopicPartition kTable{log::Topic::kControl, 0};
// Longer than any write of a living process is under way.
constexpr auto kAbandonedAfter = std::chrono::hours(1);

std::optional<std::uint64_t> hexadecimal(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size() || text.size() != 16)
    return std::nullopt;
  return value;
}

// The key without the batch at its end.
std::string_view stem_of(std::string_view key) {
  return key.substr(0, key.size() - kBatchTextBytes);
}

log::TableChange put(std::string key, const google::protobuf::MessageLite& message) {
  return {kTable, std::move(key), Rope(Bytes::adopt(message.SerializeAsString()))};
}
log::TableChange tombstone(std::string key) {
  return {kTable, std::move(key), std::nullopt};
}

}  // namespace

std::string BatchId::to_text() const {
  return fmt::format("{:016x}-{:016x}", sequence, number);
}

std::optional<BatchId> BatchId::from_text(std::string_view text) {
  if (text.size() != kBatchTextBytes || text[16] != '-') return std::nullopt;
  const auto sequence = hexadecimal(text.substr(0, 16));
  const auto number = hexadecimal(text.substr(17));
  if (!sequence || !number) return std::nullopt;
  return BatchId{*sequence, *number};
}

std::string batch_key(const BatchId& id) {
  return std::string(kBatchPrefix) + id.to_text();
}

std::string object_key(const ObjectName& object, const BatchId& id) {
  return fmt::format("{}{}/{}/{}", kObjectPrefix, static_cast<int>(object.kind), object.name,
                     id.to_text());
}

Result<BatchTable> BatchTable::read(const log::Table& table) {
  BatchTable rows;
  TRY_VOID(table.scan({}, {}, [&rows](std::string_view key, std::string_view value) {
    rows.add(key, value);
    return true;
  }));
  return rows;
}

void BatchTable::add(std::string_view key, std::string_view value) {
  if (key.starts_with(kBatchPrefix)) return add_marker(key, value);
  if (key.starts_with(kObjectPrefix)) return add_object(key, value);
  problems_.push_back(fmt::format("a row {} of an unknown kind", key));
}

void BatchTable::add_marker(std::string_view key, std::string_view value) {
  const auto id = BatchId::from_text(key.substr(kBatchPrefix.size()));
  v1::ControlBatch marker;
  if (!id || !marker.ParseFromArray(value.data(), static_cast<int>(value.size())) ||
      marker.version() > kVersion) {
    problems_.push_back(fmt::format("the batch {} cannot be read", key));
    return;
  }
  Batch& batch = batches_[*id];
  batch.count = marker.count();
  batch.time_unix_ms = std::max(batch.time_unix_ms, marker.time_unix_ms());
  sequence_ = std::max(sequence_, id->sequence);
}

void BatchTable::add_object(std::string_view key, std::string_view value) {
  const std::size_t slash = key.rfind('/');
  const auto id = BatchId::from_text(key.substr(slash + 1));
  if (!id) {
    problems_.push_back(fmt::format("a row {} without a batch", key));
    return;
  }
  Row row{.key = std::string(key), .object = {}, .data = {}, .value = std::string(value)};
  v1::ControlObject object;
  Batch& batch = batches_[*id];
  if (object.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
    row.removed = object.removed();
    row.object = {static_cast<Kind>(object.kind()), object.name()};
    row.readable = object.version() <= kVersion &&
                   std::ranges::find(kKinds, row.object.kind) != std::end(kKinds) &&
                   object.object().enc() == v1::Sealed::CLEAR;
    row.data = object.object().data();
    batch.time_unix_ms = std::max(batch.time_unix_ms, object.time_unix_ms());
  }
  if (!row.readable)
    problems_.push_back(fmt::format("the object {} needs a newer version", stem_of(key)));
  batch.rows.emplace(key, std::move(row));
  sequence_ = std::max(sequence_, id->sequence);
}

BatchTable::Newest BatchTable::newest() const {
  Newest newest;
  for (const auto& [id, batch] : batches_) {  // ascending: the last one stays
    if (!batch.whole()) continue;
    for (const auto& [key, row] : batch.rows)
      newest.insert_or_assign(std::string(stem_of(key)), id);
  }
  return newest;
}

Objects BatchTable::objects() const {
  Objects objects;
  for (const auto& [stem, id] : newest()) {
    const Row& row = batches_.at(id).rows.at(stem + id.to_text());
    if (row.readable && !row.removed) objects.emplace(row.object, row.data);
  }
  return objects;
}

bool BatchTable::empty() const {
  return std::ranges::none_of(batches_, [](const auto& entry) { return entry.second.whole(); });
}

bool BatchTable::is_whole(const BatchId& id) const {
  const auto found = batches_.find(id);
  return found != batches_.end() && found->second.whole();
}

std::uint64_t BatchTable::version() const {
  std::uint64_t version = 0;
  for (const auto& [id, batch] : batches_) {
    if (batch.whole()) version = std::max(version, id.sequence);
  }
  return version;
}

BatchTable::NewBatch BatchTable::write(const Wanted& wanted, Random& random) const {
  NewBatch batch{{sequence_ + 1, random.next()}, {}};
  const auto add = [&](const ObjectName& name, const std::string* data) {
    v1::ControlObject object;
    object.set_version(kVersion);
    object.set_kind(static_cast<v1::ControlKind>(name.kind));
    object.set_name(name.name);
    object.set_removed(data == nullptr);
    object.set_time_unix_ms(to_unix_ms(wanted.now));
    if (data != nullptr) object.mutable_object()->set_data(*data);
    batch.changes.push_back(put(object_key(name, batch.id), object));
  };
  for (const auto& [name, data] : wanted.put) add(name, &data);
  for (const ObjectName& name : wanted.removed) add(name, nullptr);

  const Newest in_force = newest();
  std::size_t rows = 0;
  for (const auto& [id, old] : batches_) rows += old.rows.size();
  if (rows > 2 * in_force.size() + kSupersededMax) {
    std::set<ObjectName> written(wanted.removed.begin(), wanted.removed.end());
    for (const auto& [name, data] : wanted.put) written.insert(name);
    for (const auto& [stem, id] : in_force) {
      const Row& row = batches_.at(id).rows.at(stem + id.to_text());
      // As it is stored: what a newer version wrote is carried on unread.
      if (row.removed || written.contains(row.object)) continue;
      batch.changes.push_back({kTable, stem + batch.id.to_text(), Rope(Bytes::copy_of(row.value))});
    }
  }

  v1::ControlBatch marker;
  marker.set_version(kVersion);
  marker.set_count(static_cast<std::uint32_t>(batch.changes.size()));
  marker.set_time_unix_ms(to_unix_ms(wanted.now));
  marker.set_actor(wanted.actor);
  marker.set_node(wanted.node);
  batch.changes.push_back(put(batch_key(batch.id), marker));
  return batch;
}

std::vector<log::TableChange> BatchTable::garbage(Timestamp now) const {
  const Newest in_force = newest();
  std::map<std::string_view, std::size_t> states;  // rows of each object
  for (const auto& [id, batch] : batches_) {
    for (const auto& [key, row] : batch.rows) ++states[stem_of(key)];
  }
  const std::int64_t abandoned_before = to_unix_ms(now - kAbandonedAfter);
  const auto is_needed = [&](const BatchId& id, const Batch& batch) {
    const bool old = batch.time_unix_ms < abandoned_before;
    if (!batch.whole()) return !old;
    return std::ranges::any_of(batch.rows, [&](const auto& entry) {
      const auto& [key, row] = entry;
      const std::string_view stem = stem_of(key);
      if (in_force.find(std::string(stem))->second != id) return false;
      // That an object is gone need not be said once nothing else says that it was there, or may still come to say it.
      return !(row.removed && old && states.at(stem) == 1);
    });
  };
  std::vector<log::TableChange> changes;
  for (const auto& [id, batch] : batches_) {
    if (is_needed(id, batch)) continue;
    if (batch.count) changes.push_back(tombstone(batch_key(id)));
    for (const auto& [key, row] : batch.rows) changes.push_back(tombstone(key));
  }
  return changes;
}

}  // namespace godwit::control
