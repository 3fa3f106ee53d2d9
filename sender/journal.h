#pragma once

#include <deque>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/log/log.h"
#include "common/record/records.h"
#include "sender/content_uses.h"
#include "sender/event_record.h"
#include "sender/queued_delivery.h"
#include "sender/window.h"

namespace godwit::sender {

// What ended or was parked and is not committed yet, in order; and the batches it is committed in.
//
// Every effect of an end travels in one batch: its events, the change of `retries` and the position. So after a
// crash the log shows all of it or nothing, and a recipient cannot end without its delivery being finished.
//
//     journal.add(...)                  as deliveries end
//     auto sealed = journal.seal();     the next batch; then commit(sealed.batch)
//     acknowledged                      journal.committed(sealed): what was parked is due from now on
//     not written                       the same sealed batch again, later; nothing is forgotten
//
// Limits    a batch comes to kBatchBytesMax, or to what the log takes in one commit if that is less; it has one
//           entry at least
// Threads   belongs to one shard
class Journal {
 public:
  static constexpr std::size_t kBatchBytesMax = 8u << 20;

  enum class After {
    kFinished,  // nobody is left: tombstones, or the slot is finished
    kParked,    // its state goes to `retries`
  };

  // `commit_bytes_max`: as log::Ownership::batch_bytes_max(). `bodies_stay`: what is in `bodies` is there for longer
  // than mail can be parked, so a parked delivery goes on referring to it.
  Journal(log::PartitionId partition, log::PartitionId event_partitions,
          std::size_t commit_bytes_max, const log::Table& retries, Window& urgent, Window& bulk,
          bool bodies_stay = false);

  // Content of a parked delivery is needed when it is not in the table yet: then add() wants it fetched.
  [[nodiscard]] Result<bool> needs_content(const QueuedDelivery& delivery);

  // Parking it copies its content into the table.
  [[nodiscard]] Result<bool> adds_content(const QueuedDelivery& delivery);

  // Errors: of the local table, or of encoding; nothing was added, the delivery is untouched.
  [[nodiscard]] Result<void> add(DeliveryPtr& delivery, const std::vector<EventRecord>& events,
                                 After after);
  // Of a delivery that stays in its window: the events, and who is left in it, for whoever reads its record again
  // after a crash. Its slot stays unfinished. Errors as add().
  [[nodiscard]] Result<void> add_state(const QueuedDelivery& delivery,
                                       const std::vector<EventRecord>& events);
  // It goes on in another partition, as the record that is appended with its end here (Transfer). Errors as add().
  [[nodiscard]] Result<void> add_moved(DeliveryPtr& delivery, log::Append record);
  // What an operator decided, in `slot`, about a delivery of the table. Errors as add().
  [[nodiscard]] Result<void> add_decided(const WindowSlot& slot, DeliveryPtr& delivery,
                                         const std::vector<EventRecord>& events, After after);
  // A record of the window that nothing follows from.
  void add_idle(const WindowSlot& slot);
  // A record of the window that could not be handled: to `dead`, whole, with the cause.
  void add_dead(WindowSlot slot, const record::Dead& dead);
  // The same for a parked delivery. Errors as add().
  [[nodiscard]] Result<void> add_dead(DeliveryPtr& parked, const record::Dead& dead);
  void add_change(std::string key, std::optional<Rope> value);  // of `retries`: lane states

  // The windows were restored from `!position`: the record is in the table.
  void position_restored() { beyond_committed_ = true; }
  // The row that add_state() made for that slot is in the table.
  void state_restored(const WindowSlot& slot) { states_.insert({slot.topic, slot.offset}); }

  struct Sealed {
    log::Batch batch;
    std::vector<DeliveryPtr> parked;
    std::vector<DeliveryId> left;     // came from the table and are not in memory any more
    std::vector<MessageId> contents;  // whose uses changed
    std::size_t entries = 0;
    std::size_t slots = 0;  // of the window that were finished
  };
  // Nothing to commit: nullopt. At most one sealed batch is under way.
  [[nodiscard]] std::optional<Sealed> seal();
  void committed(const Sealed& sealed);

  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    DeliveryPtr delivery;
    std::optional<WindowSlot> slot;
    std::optional<DeliveryId> left;
    std::vector<log::Append> appends;
    std::vector<log::TableChange> changes;
    std::optional<MessageId> content;
    bool parked = false;
    bool carries_content = false;

    [[nodiscard]] std::size_t bytes() const;  // as log::bytes_in_batch
  };
  [[nodiscard]] bool stays_in_bodies(const QueuedDelivery& delivery) const {
    return bodies_stay_ && delivery.record.content.has_body();
  }
  [[nodiscard]] log::TableChange change(std::string key, std::optional<Rope> value) const;
  void put_events(Entry& entry, const DeliveryId& id, const std::vector<EventRecord>& events) const;
  void finish_slot(Entry& entry, const WindowSlot& slot);
  void put_dead(Entry& entry, const std::string& key, const record::Dead& dead) const;
  void put_content(Entry& entry, const MessageId& content, const Rope& octets) const;
  void delete_content(Entry& entry, const MessageId& content, std::uint64_t size) const;
  [[nodiscard]] Window& window(log::Topic topic) {
    return topic == log::Topic::kOutboundUrgent ? urgent_ : bulk_;
  }
  void add_positions(log::Batch& batch);

  log::PartitionId partition_;
  log::PartitionId event_partitions_;
  std::size_t batch_bytes_max_;
  ContentUses uses_;
  Window& urgent_;
  Window& bulk_;
  log::Offset urgent_committed_;
  log::Offset bulk_committed_;
  const bool bodies_stay_;
  bool beyond_committed_ = false;
  std::set<std::pair<log::Topic, log::Offset>> states_;  // unfinished slots that have a row `s/`
  std::deque<Entry> entries_;
};

// The keys of one parked content: `c/<id>`, and `c/<id>/<n>` for its later parts.
inline constexpr std::size_t kContentPartBytes = log::kRecordBytesMax - 4096;
[[nodiscard]] std::string content_part_key(const MessageId& content, std::size_t part);
[[nodiscard]] std::size_t content_parts(std::uint64_t size);

}  // namespace godwit::sender
