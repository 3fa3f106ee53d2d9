#include "sender/parked_feed.h"

#include <algorithm>

#include "common/async/blocking_pool.h"
#include "common/log/log.h"
#include "common/observe/log.h"
#include "common/record/keys.h"
#include "sender/decode_delivery.h"

namespace godwit::sender {

using log::PartitionId;
using log::Topic;
using std::chrono::floor;
using std::chrono::milliseconds;

namespace {

constexpr observe::Logger kLog{"sender"};
constexpr std::size_t kDueAtOnce = 256;
constexpr Duration kLookAgain = std::chrono::seconds{1};

// A row has no offset: a number that follows from its key names it while it is in hand.
log::RecordPosition place_of_parked(const DeliveryId& id, PartitionId partition) {
  return {{Topic::kRetries, partition}, static_cast<log::Offset>(std::hash<DeliveryId>{}(id) >> 1)};
}

}  // namespace

async::Task<void> ParkedFeed::scan_due() {
  const auto wanted = due_.want_scan(env_.clock.now());
  if (!wanted) co_return;
  struct Found {
    std::vector<DueEntry> entries;
    bool complete = true;
  };
  auto scan = [this, wanted = *wanted]() -> Result<Found> {
    Found found;
    TRY_VOID(retries_.scan_index(wanted.from, wanted.to, [&](std::string_view entry) {
      if (found.entries.size() == wanted.entries_max) {
        found.complete = false;
        return false;
      }
      if (const auto parsed = parse_due(entry)) found.entries.push_back(*parsed);
      return true;
    }));
    return found;
  };
  const auto found = co_await env_.pool.run(std::move(scan));
  if (found) {
    due_.scanned(found->entries, found->complete);
  } else {
    due_.scan_failed();
  }
}

async::Task<std::vector<DeliveryPtr>> ParkedFeed::take_due() {
  co_await scan_due();
  const std::size_t parked_max = env_.config.window.parked;
  const std::size_t room = parked_max > active_.size() ? parked_max - active_.size() : 0;
  const std::vector<DueEntry> due = due_.take_due(env_.clock.now(), std::min(room, kDueAtOnce));
  std::vector<DeliveryId> ids;
  for (const DueEntry& entry : due) {
    // One may be there twice: as it was when a scan began, and as it was parked again meanwhile.
    if (active_.insert(entry.id).second) ids.push_back(entry.id);
  }
  std::vector<DeliveryPtr> taken;
  if (ids.empty()) co_return taken;
  for (DeliveryPtr& delivery : co_await fetch(std::move(ids))) {
    const Timestamp look = look_at(delivery->record.head);
    if (look > env_.clock.now()) {  // parked again meanwhile
      active_.erase(delivery->id);
      due_.parked({look, delivery->id});
      continue;
    }
    delivery->row_throttled = delivery->record.head.throttled();
    delivery->record.head.set_throttled(false);
    taken.push_back(std::move(delivery));
  }
  co_return taken;
}

async::Task<std::optional<DeliveryPtr>> ParkedFeed::take(DeliveryId id) {
  if (active_.contains(id)) co_return std::nullopt;
  bool failed = false;
  std::vector<DeliveryPtr> found = co_await fetch({id}, &failed);
  if (failed) co_return std::nullopt;
  co_return found.empty() ? nullptr : std::move(found.front());
}

async::Task<std::optional<std::vector<DeliveryPtr>>> ParkedFeed::take_these(
    std::vector<DeliveryId> ids) {
  std::erase_if(ids, [&](const DeliveryId& id) { return active_.contains(id); });
  bool failed = false;
  std::vector<DeliveryPtr> found;
  if (!ids.empty()) found = co_await fetch(std::move(ids), &failed);
  if (failed) co_return std::nullopt;
  co_return found;
}

std::size_t ParkedFeed::room() const {
  const std::size_t half = env_.config.window.parked / 2;
  return half > active_.size() ? half - active_.size() : 0;
}

void ParkedFeed::postponed(const DueEntry& entry) {
  active_.erase(entry.id);
  due_.put_back(entry);
}

std::vector<ParkedFeed::Room> ParkedFeed::lanes_with_room() {
  std::vector<Room> wanting;
  for (const bool urgent : {true, false}) {
    for (const auto& [id, state] : lanes_.all()) {
      if (lanes_.wants_more(state, urgent)) wanting.push_back({id, urgent});
    }
  }
  wanting_ = std::max<std::size_t>(wanting.size(), 1);
  return wanting;
}

async::Task<std::vector<DeliveryPtr>> ParkedFeed::take_waiting(Room room) {
  std::vector<DeliveryPtr> taken;
  // Half of the room is kept for what is due by time.
  const std::size_t half = env_.config.window.parked / 2;
  if (active_.size() >= half) co_return taken;
  const std::size_t count = std::min<std::size_t>(env_.config.window.lane_share,
                                                  std::max<std::size_t>(half / wanting_, 1));
  const std::string saved = lanes_.at(room.lane).backlog(room.urgent).cursor;
  const std::string cursor = saved.empty() ? waiting_begin(room.lane, room.urgent) : saved;
  struct Found {
    std::vector<DeliveryId> ids;
    std::string cursor;
  };
  auto scan = [this, room, cursor, count]() -> Result<Found> {
    Found found{{}, cursor};
    const std::string end = waiting_end(room.lane, room.urgent);
    TRY_VOID(retries_.scan_index(cursor, end, [&](std::string_view entry) {
      if (const auto parsed = parse_lane(entry)) found.ids.push_back(parsed->id);
      found.cursor = std::string(entry) + '\0';
      return found.ids.size() < count;
    }));
    return found;
  };
  auto found = co_await env_.pool.run(std::move(scan));
  if (!found) co_return taken;
  LaneBook::Entry& state = lanes_.at(room.lane);
  LaneBook::Entry::Backlog& backlog = state.backlog(room.urgent);
  if (found->ids.empty()) {
    // At the end. From the beginning once more: a clock may have gone back. Nothing there: caught up.
    if (backlog.cursor.empty()) lanes_.set_backlog(state, room.urgent, false);
    backlog.cursor.clear();
    co_return taken;
  }
  backlog.cursor = found->cursor;
  std::erase_if(found->ids, [&](const DeliveryId& each) { return active_.contains(each); });
  for (DeliveryPtr& delivery : co_await fetch(std::move(found->ids))) {
    if (!delivery->record.head.throttled()) {
      active_.erase(delivery->id);
      continue;
    }
    delivery->row_throttled = true;
    delivery->record.head.set_throttled(false);
    taken.push_back(std::move(delivery));
  }
  co_return taken;
}

// The records of parked deliveries; they count as active from here on. Those that are gone are left out.
async::Task<std::vector<DeliveryPtr>> ParkedFeed::fetch(std::vector<DeliveryId> ids, bool* failed) {
  for (const DeliveryId& id : ids) active_.insert(id);
  auto read = [this, &ids]() -> Result<std::vector<std::optional<std::string>>> {
    std::vector<std::optional<std::string>> values;
    for (const DeliveryId& id : ids) {
      TRY(auto value, retries_.get(record::delivery_key(id)));
      values.push_back(std::move(value));
    }
    return values;
  };
  auto values = co_await env_.pool.run(std::move(read));
  if (failed != nullptr) *failed = !values;
  std::vector<DeliveryPtr> deliveries;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!values || !(*values)[i]) {
      active_.erase(ids[i]);
      if (!values) due_.put_back({env_.clock.now() + floor<milliseconds>(kLookAgain), ids[i]});
      continue;
    }
    const log::RecordPosition place = place_of_parked(ids[i], partition_);
    auto decoded = decode_delivery(env_, place, Rope(Bytes::adopt(*std::move((*values)[i]))));
    if (!decoded) {
      // It stays where it is, held; an operator sees it.
      kLog.error("a parked delivery cannot be read",
                 {{"delivery", ids[i].to_text()}, {"error", decoded.error()}});
      active_.erase(ids[i]);
      continue;
    }
    (*decoded)->id = ids[i];
    deliveries.push_back(*std::move(decoded));
  }
  co_return deliveries;
}

}  // namespace godwit::sender
