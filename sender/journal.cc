#include "sender/journal.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/log/by_message.h"
#include "common/record/keys.h"

namespace godwit::sender {

namespace {

constexpr std::size_t kAppendsReserved = 1024;  // of a batch, at once

// Of the entries of one batch: `!position`, a record, goes with them.
std::size_t entries_bytes_max(std::size_t commit_bytes_max) {
  const std::size_t position = std::min(log::kRecordBytesMax, commit_bytes_max / 2);
  return std::min(Journal::kBatchBytesMax, commit_bytes_max - position);
}

}  // namespace

std::string content_part_key(const MessageId& content, std::size_t part) {
  std::string key = record::content_key(content);
  if (part > 0) key += "/" + std::to_string(part);
  return key;
}

std::size_t content_parts(std::uint64_t size) {
  return std::max<std::uint64_t>(1, (size + kContentPartBytes - 1) / kContentPartBytes);
}

Journal::Journal(log::PartitionId partition, log::PartitionId event_partitions,
                 std::size_t commit_bytes_max, const log::Table& retries, Window& urgent,
                 Window& bulk, bool bodies_stay)
    : partition_(partition),
      event_partitions_(event_partitions),
      batch_bytes_max_(entries_bytes_max(commit_bytes_max)),
      uses_(retries),
      urgent_(urgent),
      bulk_(bulk),
      urgent_committed_(urgent.next()),
      bulk_committed_(bulk.next()),
      bodies_stay_(bodies_stay) {}

std::size_t Journal::Entry::bytes() const {
  std::size_t sum = 0;
  for (const log::Append& append : appends) sum += log::bytes_in_batch(append);
  for (const log::TableChange& each : changes) sum += log::bytes_in_batch(each);
  return sum;
}

log::TableChange Journal::change(std::string key, std::optional<Rope> value) const {
  return {{log::Topic::kRetries, partition_}, std::move(key), std::move(value)};
}

// The value of a change counts with its key against the record's limit.
void Journal::put_content(Entry& entry, const MessageId& content, const Rope& octets) const {
  for (std::size_t part = 0; part < content_parts(octets.size()); ++part) {
    entry.changes.push_back(change(content_part_key(content, part),
                                   octets.slice(part * kContentPartBytes, kContentPartBytes)));
  }
}

void Journal::delete_content(Entry& entry, const MessageId& content, std::uint64_t size) const {
  for (std::size_t part = 0; part < content_parts(size); ++part) {
    entry.changes.push_back(change(content_part_key(content, part), std::nullopt));
  }
}

Result<bool> Journal::needs_content(const QueuedDelivery& delivery) {
  if (!delivery.content.empty()) return false;
  return adds_content(delivery);
}

Result<bool> Journal::adds_content(const QueuedDelivery& delivery) {
  if (delivery.record.content.parked() || stays_in_bodies(delivery)) return false;
  TRY(const bool stored, uses_.stored(delivery.id.message));
  return !stored;
}

void Journal::put_events(Entry& entry, const DeliveryId& id,
                         const std::vector<EventRecord>& events) const {
  for (const EventRecord& event : events) {
    entry.appends.push_back(
        {{log::Topic::kEvents, log::partition_of(id.message, event_partitions_)},
         std::string(id.message.octets()),
         event.value,
         std::nullopt});
  }
}

void Journal::finish_slot(Entry& entry, const WindowSlot& slot) {
  entry.slot = slot;
  if (states_.erase({slot.topic, slot.offset}) == 0) return;
  entry.changes.push_back(
      change(record::slot_key(log::topic_name(slot.topic), slot.offset), std::nullopt));
}

Result<void> Journal::add_state(const QueuedDelivery& delivery,
                                const std::vector<EventRecord>& events) {
  CHECK(delivery.slot.has_value(), "{} is not in a window", delivery.id.to_text());
  Entry entry;
  put_events(entry, delivery.id, events);
  record::Delivery state = delivery.record;
  state.content = {};
  state.data = {};
  TRY(Rope value, record::encode(state));
  entry.changes.push_back(
      change(record::slot_key(log::topic_name(delivery.slot->topic), delivery.slot->offset),
             std::move(value)));
  states_.insert({delivery.slot->topic, delivery.slot->offset});
  entries_.push_back(std::move(entry));
  return {};
}

Result<void> Journal::add(DeliveryPtr& delivery, const std::vector<EventRecord>& events,
                          After after) {
  Entry entry;
  put_events(entry, delivery->id, events);
  const MessageId content = delivery->id.message;
  const bool was_parked = delivery->in_table();
  const bool in_bodies = stays_in_bodies(*delivery);
  if (after == After::kParked) {
    v1::Content reference = delivery->record.content;
    if (!in_bodies) {
      delivery->record.content.clear_position();
      delivery->record.content.clear_body();
      delivery->record.content.set_parked(true);
    }
    delivery->record.data = {};
    delivery->record.head.set_expires_unix_ms(to_unix_ms(delivery->expires));
    auto state = record::encode(delivery->record);
    if (!state) {
      delivery->record.content = std::move(reference);
      return fail(std::move(state).error());
    }
    if (!was_parked && !in_bodies) {
      auto first = uses_.add(content);
      if (!first) {
        delivery->record.content = std::move(reference);
        return fail(std::move(first).error());
      }
      entry.content = content;
      if (*first) {
        CHECK(delivery->content.size() == delivery->record.content.size(),
              "{} is parked without its content", delivery->id.to_text());
        put_content(entry, content, delivery->content);
        entry.carries_content = true;
      }
    }
    entry.changes.push_back(change(record::delivery_key(delivery->id), *std::move(state)));
    entry.parked = true;
  } else if (was_parked) {
    if (!in_bodies) {
      TRY(const bool last, uses_.remove(content));
      entry.content = content;
      if (last) delete_content(entry, content, delivery->record.content.size());
    }
    entry.changes.push_back(change(record::delivery_key(delivery->id), std::nullopt));
  }
  if (delivery->slot) finish_slot(entry, *delivery->slot);
  if (was_parked) entry.left = delivery->id;
  if (!entry.carries_content) delivery->release_memory();
  delivery->content = {};  // where it is parked with it, its octets are in the batch
  entry.delivery = std::move(delivery);
  entries_.push_back(std::move(entry));
  return {};
}

Result<void> Journal::add_moved(DeliveryPtr& delivery, log::Append record) {
  TRY_VOID(add(delivery, {}, After::kFinished));
  entries_.back().appends.push_back(std::move(record));
  return {};
}

Result<void> Journal::add_decided(const WindowSlot& slot, DeliveryPtr& delivery,
                                  const std::vector<EventRecord>& events, After after) {
  CHECK(delivery->in_table(), "{} is in a window", delivery->id.to_text());
  TRY_VOID(add(delivery, events, after));
  finish_slot(entries_.back(), slot);
  return {};
}

void Journal::add_idle(const WindowSlot& slot) {
  Entry entry;
  finish_slot(entry, slot);
  entries_.push_back(std::move(entry));
}

void Journal::add_dead(WindowSlot slot, const record::Dead& dead) {
  Entry entry;
  finish_slot(entry, slot);
  put_dead(entry, record::dead_key(log::topic_name(slot.topic), partition_, slot.offset), dead);
  entries_.push_back(std::move(entry));
}

Result<void> Journal::add_dead(DeliveryPtr& parked, const record::Dead& dead) {
  const DeliveryId id = parked->id;
  TRY_VOID(add(parked, {}, After::kFinished));
  put_dead(entries_.back(),
           std::string(log::topic_name(log::Topic::kRetries)) + "/" + std::to_string(partition_) +
               "/" + id.to_text(),
           dead);
  return {};
}

// A record at the limit does not fit into one that carries it: it is cut, and the keys say so.
void Journal::put_dead(Entry& entry, const std::string& key, const record::Dead& dead) const {
  const std::size_t parts = content_parts(dead.value.size());
  for (std::size_t part = 0; part < parts; ++part) {
    record::Dead piece{dead.head, dead.value.slice(part * kContentPartBytes, kContentPartBytes)};
    piece.head.set_part(static_cast<std::uint32_t>(part));
    piece.head.set_parts(static_cast<std::uint32_t>(parts));
    entry.changes.push_back({{log::Topic::kDead, partition_},
                             part == 0 ? key : key + "/" + std::to_string(part),
                             record::encode(piece)});
  }
}

void Journal::add_change(std::string key, std::optional<Rope> value) {
  Entry entry;
  entry.changes.push_back(change(std::move(key), std::move(value)));
  entries_.push_back(std::move(entry));
}

std::optional<Journal::Sealed> Journal::seal() {
  if (entries_.empty() && urgent_.next() == urgent_committed_ && bulk_.next() == bulk_committed_) {
    return std::nullopt;
  }
  Sealed sealed;
  sealed.batch.appends.reserve(std::min(entries_.size(), kAppendsReserved));
  std::size_t bytes = 0;
  while (!entries_.empty()) {
    const std::size_t entry_bytes = entries_.front().bytes();
    if (sealed.entries > 0 && bytes + entry_bytes > batch_bytes_max_) break;
    Entry entry = std::move(entries_.front());
    entries_.pop_front();
    bytes += entry_bytes;
    std::ranges::move(entry.appends, std::back_inserter(sealed.batch.appends));
    std::ranges::move(entry.changes, std::back_inserter(sealed.batch.changes));
    if (entry.slot) {
      window(entry.slot->topic).finish(entry.slot->offset);
      ++sealed.slots;
    }
    if (entry.content) sealed.contents.push_back(*entry.content);
    if (entry.left) sealed.left.push_back(*entry.left);
    if (entry.parked) sealed.parked.push_back(std::move(entry.delivery));
    ++sealed.entries;
  }
  add_positions(sealed.batch);
  return sealed;
}

void Journal::add_positions(log::Batch& batch) {
  const auto add = [&](log::Topic topic, const Window& of, log::Offset& committed) {
    if (of.next() == committed) return;
    batch.positions.push_back({{topic, partition_}, of.next()});
    committed = of.next();
  };
  add(log::Topic::kOutboundUrgent, urgent_, urgent_committed_);
  add(log::Topic::kOutbound, bulk_, bulk_committed_);

  const bool beyond = urgent_.finished_beyond() || bulk_.finished_beyond();
  if (!beyond && !beyond_committed_) return;
  beyond_committed_ = beyond;
  v1::FinishedPositions finished;
  finished.set_version(record::kVersion);
  const auto describe = [&](log::Topic topic, const Window& of) {
    if (!of.finished_beyond()) return;
    auto* out = finished.add_topics();
    out->set_topic(static_cast<std::uint32_t>(topic));
    of.finished(*out);
  };
  describe(log::Topic::kOutboundUrgent, urgent_);
  describe(log::Topic::kOutbound, bulk_);
  batch.changes.push_back(
      change(std::string(record::kPositionKey),
             beyond ? std::optional<Rope>(record::encode(finished)) : std::nullopt));
}

void Journal::committed(const Sealed& sealed) {
  for (const MessageId& content : sealed.contents) uses_.committed(content);
}

}  // namespace godwit::sender
