#include "sender/partition_owner.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/async/asio.h"
#include "common/async/blocking_pool.h"
#include "common/async/completion.h"
#include "common/async/sleep.h"
#include "common/base/check.h"
#include "common/observe/log.h"
#include "common/poison/errc.h"
#include "common/record/keys.h"
#include "sender/decode_delivery.h"

namespace godwit::sender {

using log::PartitionId;
using log::Topic;
using std::chrono::floor;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr observe::Logger kLog{"sender"};
constexpr std::size_t kTakeRecords = 64;
constexpr std::size_t kTakeBytes = 1u << 20;
constexpr Duration kLook = seconds{1};  // loops look again at least this often
constexpr std::size_t kParkAtOnce = 256;
constexpr Duration kCommitRetry = milliseconds{200};
constexpr Duration kFlushMax = seconds{5};     // for the last commit
constexpr milliseconds kDueSoon = seconds{1};  // a due time this close is now

Window make_window(const log::Ownership& ownership, Topic topic, const WindowConfig& config) {
  return {ownership.committed(topic), {config.records, config.bytes}};
}

// The delivery as a record, with its content when that is in memory: what it refers to is freed
// once nobody has to read it any more.
Rope whole(const QueuedDelivery& delivery) {
  record::Delivery record = delivery.record;
  if (!delivery.content.empty()) {
    record.content.clear_position();
    record.content.clear_body();
    record.content.clear_parked();
    record.data = delivery.content;
  }
  auto encoded = record::encode(record);
  return encoded ? *std::move(encoded) : Rope();
}

bool ends_somebody(const std::vector<record::Event>& events) {
  return std::ranges::any_of(
      events, [](const record::Event& event) { return event.head.type() != v1::DEFERRED; });
}

}  // namespace

PartitionOwner::PartitionOwner(Environment& environment, std::shared_ptr<log::Ownership> ownership)
    : env_(environment),
      ownership_(std::move(ownership)),
      partition_(ownership_->partition()),
      retries_(ownership_->table(Topic::kRetries)),
      urgent_(make_window(*ownership_, Topic::kOutboundUrgent, env_.config.window)),
      bulk_(make_window(*ownership_, Topic::kOutbound, env_.config.window)),
      journal_(partition_, env_.log.partitions(Topic::kEvents), ownership_->batch_bytes_max(),
               retries_, urgent_, bulk_),
      lanes_(env_, *this, couriers_, journal_),
      content_(env_, retries_, partition_),
      parked_(env_, retries_, partition_, lanes_) {}

PartitionOwner::~PartitionOwner() = default;

void PartitionOwner::start() {
  lanes_.taken_at(env_.clock.instant());
  env_.shard.spawn(run(), loops_);
}

async::Task<void> PartitionOwner::run() {
  while (!draining_ && !lost_) {
    const Result<void> restored = co_await restore();
    if (restored) break;
    kLog.error("parked mail cannot be read",
               {{"partition", partition_}, {"error", restored.error()}});
    set_problem("parked mail cannot be read: " + restored.error().to_string());
    co_await async::sleep_for(kLook);
  }
  if (draining_ || lost_) co_return;
  set_problem({});
  env_.shard.spawn(read_loop(), loops_);
  env_.shard.spawn(parking_loop(), loops_);
  env_.shard.spawn(due_loop(), loops_);
  env_.shard.spawn(commit_loop(), loops_);
}

void PartitionOwner::drain() {
  draining_ = true;
  drained_.request();
  lanes_.notify_all();
  read_event_.notify();
  due_event_.notify();
  parking_event_.notify();
}

async::Task<void> PartitionOwner::stop(Instant deadline) {
  drain();
  while (couriers_.count() > 0 && env_.clock.instant() < deadline) {
    co_await async::sleep_for(milliseconds{20});
  }
  abort_.request();  // a final dot that is still open is parked as `outcome: unknown`
  co_await couriers_.close();
  flushing_ = true;
  parking_event_.notify();
  commit_event_.notify();
  // What cannot be committed in time stays in the log as it was, and is attempted again by the next
  // owner.
  const Instant flush_by = std::max(deadline, env_.clock.instant()) + kFlushMax;
  while (loops_.count() > 0 && env_.clock.instant() < flush_by) {
    co_await async::sleep_for(milliseconds{20});
  }
  if (loops_.count() > 0) lost();
  co_await loops_.close();
}

void PartitionOwner::lost(std::string why) {
  lost_ = true;
  content_.lost();
  set_problem(std::move(why));
  drain();
  abort_.request();
  commit_event_.notify();
}

std::string PartitionOwner::problem() const {
  const std::lock_guard lock(problem_lock_);
  return problem_;
}

void PartitionOwner::set_problem(std::string text) {
  const std::lock_guard lock(problem_lock_);
  problem_ = std::move(text);
}

admin::QueueSummary PartitionOwner::summary(const admin::QueueQuery& query) const {
  admin::QueueSummary summary = tally_.summary(query);
  if (query.by != admin::QueueBy::kLane) return summary;
  for (admin::QueueRow& row : summary.rows) {
    for (const auto& [id, state] : lanes_.all()) {
      if (row.name != id.site.text() + " " + id.pool.text()) continue;
      row.suspended = wait_name(state.lane->standing());
    }
  }
  return summary;
}

bool PartitionOwner::may_begin() const {
  if (draining_ || lost_) return false;
  return !commit_sent_ || env_.clock.instant() - *commit_sent_ < env_.config.commit_age_max;
}

// --- restore ---

struct PartitionOwner::Restored {
  std::optional<v1::FinishedPositions> finished;
  QueueTally tally;
  std::map<LaneId, v1::LaneState> states;
  std::set<std::pair<LaneId, bool>> backlogs;     // lane, urgent
  std::map<std::string, record::Delivery> slots;  // by key
};

async::Task<Result<void>> PartitionOwner::restore() {
  auto read = [this]() -> Result<Restored> {
    Restored restored;
    TRY(const auto position, retries_.get(record::kPositionKey));
    if (position) {
      TRY(restored.finished, record::decode_finished_positions(*position));
    }
    TRY_VOID(retries_.scan_index(lanes_begin(), lanes_end(), [&](std::string_view entry) {
      if (const auto parsed = parse_lane(entry)) {
        restored.tally.add(QueueTally::State::kParked, QueueTally::share_of(*parsed));
        if (parsed->throttled) restored.backlogs.emplace(parsed->lane, parsed->urgent);
      }
      return true;
    }));
    const std::string prefix(record::kLanePrefix);
    std::string end = prefix;
    ++end.back();
    TRY_VOID(retries_.scan(prefix, end, [&](std::string_view key, std::string_view value) {
      const auto lane = record::lane_of_key(key);
      auto state = record::decode_lane_state(value);
      if (lane && state) restored.states.emplace(*lane, *std::move(state));
      return true;
    }));
    const std::string slots(record::kSlotPrefix);
    std::string slots_end = slots;
    ++slots_end[0];
    TRY_VOID(retries_.scan(slots, slots_end, [&](std::string_view key, std::string_view value) {
      auto state = record::decode_delivery(Rope(Bytes::copy_of(value)));
      if (state) restored.slots.emplace(key, *std::move(state));
      return true;
    }));
    return restored;
  };
  auto restored = co_await env_.pool.run(std::move(read));
  if (!restored) co_return fail(std::move(restored).error());
  if (restored->finished) {
    journal_.position_restored();
    for (const auto& topic : restored->finished->topics()) {
      if (topic.topic() == static_cast<std::uint32_t>(Topic::kOutboundUrgent))
        urgent_.restore(topic);
      if (topic.topic() == static_cast<std::uint32_t>(Topic::kOutbound)) bulk_.restore(topic);
    }
  }
  slot_states_ = std::move(restored->slots);
  tally_ = std::move(restored->tally);
  lanes_.restore(std::move(restored->states));
  for (const auto& [id, urgent] : restored->backlogs) {
    lanes_.set_backlog(lanes_.at(id), urgent, true);
  }
  co_return Result<void>{};
}

// --- reading ---

async::Task<void> PartitionOwner::read_loop() {
  // Called on a thread of the log, perhaps when we are gone.
  const auto wake = [&shard = env_.shard, owner = std::weak_ptr<PartitionOwner*>(self_)] {
    shard.post([owner] {
      if (const auto self = owner.lock()) (*self)->read_event_.notify();
    });
  };
  while (!draining_) {
    // Urgent mail first, and again after each batch of the other.
    const bool took = take_from(Topic::kOutboundUrgent) || take_from(Topic::kOutbound);
    if (took) {
      co_await async::asio::post(env_.shard.executor(), async::kAwait);  // others have their turn
      continue;
    }
    for (const bool urgent : {true, false}) relieve_window(urgent);
    if (urgent_.room()) ownership_->reader(Topic::kOutboundUrgent).when_ready(wake);
    if (bulk_.room()) ownership_->reader(Topic::kOutbound).when_ready(wake);
    const bool full = !urgent_.room() || !bulk_.room();
    co_await read_event_.wait(
        env_.clock.instant() +
        (full ? std::min<Duration>(kLook, env_.config.window.patience) : kLook));
  }
}

bool PartitionOwner::take_from(Topic topic) {
  Window& window = topic == Topic::kOutboundUrgent ? urgent_ : bulk_;
  if (!window.room()) return false;
  log::Reader& reader = ownership_->reader(topic);
  const log::Offset before = reader.next();
  auto records = reader.take(kTakeRecords, kTakeBytes);
  if (!records) {
    if (records.error().code == log::Errc::kCorrupt) {
      // Nobody can read it, now or later. It counts as held: the position goes past it with a note
      // in `dead`.
      kLog.error("a record of outbound is corrupt",
                 {{"partition", partition_}, {"offset", before}, {"error", records.error()}});
      if (window.consume(before, 0)) bury({topic, before}, {}, {}, records.error());
      reader.skip_to(before + 1);
      return true;
    }
    if (records.error().code != log::Errc::kClosed) {
      set_problem("outbound cannot be read: " + records.error().to_string());
    }
    return false;
  }
  for (const log::Record& record : *records) consume(topic, record);
  return !records->empty();
}

void PartitionOwner::consume(Topic topic, const log::Record& record) {
  Window& window = topic == Topic::kOutboundUrgent ? urgent_ : bulk_;
  if (!window.consume(record.offset, record.value.size() + sizeof(QueuedDelivery))) return;
  env_.metrics.consumed();
  const WindowSlot slot{topic, record.offset};
  const log::RecordPosition place{{topic, partition_}, record.offset};
  auto decoded = decode_delivery(env_, place, record.value);
  if (!decoded) {
    bury(slot, record.key, record.value, decoded.error());
    return;
  }
  DeliveryPtr delivery = *std::move(decoded);
  delivery->slot = slot;
  if (!slot_states_.empty()) resume_state(*delivery);
  accept(std::move(delivery));
}

// An owner before us ended some of its recipients and could not park the rest.
void PartitionOwner::resume_state(QueuedDelivery& delivery) {
  const auto state = slot_states_.find(
      record::slot_key(log::topic_name(delivery.slot->topic), delivery.slot->offset));
  if (state == slot_states_.end()) return;
  if (record::delivery_id(state->second) == delivery.id) {
    delivery.record.head = std::move(state->second.head);
    delivery.record.envelope = std::move(state->second.envelope);
  }
  journal_.state_restored(*delivery.slot);
  slot_states_.erase(state);
}

// Where a delivery goes that has just come, from the window or from the table.
void PartitionOwner::accept(DeliveryPtr delivery) {
  tally_.add(QueueTally::State::kWaiting, QueueTally::share_of(*delivery));
  const Timestamp now = env_.clock.now();
  if (delivery->expires <= now) {
    expired(std::move(delivery));
    return;
  }
  if (from_unix_ms(delivery->record.head.due_unix_ms()) > now + kDueSoon) {
    part(std::move(delivery), {}, true);
    return;
  }
  LaneBook::Entry& state = lanes_.at(delivery->lane());
  const bool urgent = delivery->urgent();
  if (state.backlog(urgent).there && state.lane->waiting(urgent) >= env_.config.window.lane_share &&
      park_throttled(delivery)) {
    return;
  }
  state.lane->push(std::move(delivery));
}

// When a window stays full, the mail of its class of the lane that holds most of it is set aside,
// so that the others' mail behind it in the partition gets its turn.
void PartitionOwner::relieve_window(bool urgent) {
  const Instant now = env_.clock.instant();
  Instant& full_since = urgent ? urgent_full_since_ : bulk_full_since_;
  if ((urgent ? urgent_ : bulk_).room()) {
    full_since = Instant::max();
    return;
  }
  if (full_since == Instant::max()) full_since = now;
  if (now - full_since < env_.config.window.patience) return;
  LaneBook::Entry* fullest = lanes_.fullest(urgent);
  const std::size_t share = env_.config.window.lane_share;
  if (fullest == nullptr || fullest->lane->waiting(urgent) <= share) return;
  std::size_t parked = 0;
  while (fullest->lane->waiting(urgent) > share) {
    DeliveryPtr youngest = fullest->lane->pop_youngest(urgent);
    if (!park_throttled(youngest)) {  // only the reserve is left: all of it stays in the window
      fullest->lane->push(std::move(youngest));
      break;
    }
    ++parked;
  }
  if (parked == 0) return;
  lanes_.set_backlog(*fullest, urgent, true);
  kLog.info("mail is parked behind a slow lane", {{"site", fullest->lane->id().site.text()},
                                                  {"pool", fullest->lane->id().pool.text()},
                                                  {"deliveries", parked}});
}

record::Dead PartitionOwner::dead_record(const log::RecordPosition& from, std::string key,
                                         const Rope& value, const Error& error) const {
  record::Dead dead;
  dead.head.set_version(record::kVersion);
  dead.head.set_topic(static_cast<std::uint32_t>(from.where.topic));
  dead.head.set_partition(from.where.partition);
  dead.head.set_offset(from.offset);
  dead.head.set_time_unix_ms(to_unix_ms(env_.clock.now()));
  dead.head.set_cause(error.to_string());
  dead.head.set_role("sender");
  if (error.code == poison::Errc::kInHand) dead.head.set_crashes(poison::kCrashesMax);
  dead.head.set_key(std::move(key));
  dead.value = value;
  return dead;
}

void PartitionOwner::bury(WindowSlot slot, std::string key, const Rope& value, const Error& error) {
  const log::RecordPosition from{{slot.topic, partition_}, slot.offset};
  journal_.add_dead(slot, dead_record(from, std::move(key), value, error));
  env_.metrics.dead();
  kLog.error("a record goes to dead", {{"topic", log::topic_name(slot.topic)},
                                       {"partition", partition_},
                                       {"offset", slot.offset},
                                       {"error", error}});
  commit_event_.notify();
}

// --- ends and parking ---

Settlement::Context PartitionOwner::context() const {
  return {env_.config.retry,
          env_.random,
          env_.node,
          env_.clock.now(),
          {env_.config.notify ? env_.control.current() : nullptr, &env_.return_path,
           env_.config.delay_notice}};
}

void PartitionOwner::taken(const QueuedDelivery& delivery) {
  tally_.remove(QueueTally::State::kWaiting, QueueTally::share_of(delivery));
  tally_.add(QueueTally::State::kActive, QueueTally::share_of(delivery));
  if (!lanes_.any_backlog()) return;
  const LaneBook::Entry& state = lanes_.at(delivery.lane());
  // There is room for more of its parked mail.
  if (lanes_.wants_more(state, delivery.urgent())) due_event_.notify();
}

void PartitionOwner::given_back(const QueuedDelivery& delivery) {
  tally_.remove(QueueTally::State::kActive, QueueTally::share_of(delivery));
  tally_.add(QueueTally::State::kWaiting, QueueTally::share_of(delivery));
}

void PartitionOwner::attempted(DeliveryPtr delivery, const AttemptReport& report) {
  tally_.remove(QueueTally::State::kActive, QueueTally::share_of(*delivery));
  for (const RecipientResult& result : report.recipients) {
    switch (result.verdict) {
      case Verdict::kDelivered: env_.metrics.delivered(1); break;
      case Verdict::kBounced: env_.metrics.bounced(1); break;
      case Verdict::kUnknown: env_.metrics.outcome_unknown(1); [[fallthrough]];
      default: env_.metrics.deferred(1);
    }
  }
  Settlement settlement = Settlement::of_attempt(*delivery, report, context());
  tally_.add(QueueTally::State::kWaiting, QueueTally::share_of(*delivery));
  part(std::move(delivery), std::move(settlement.events()), !settlement.finished());
}

void PartitionOwner::expired(DeliveryPtr delivery) {
  tally_.remove(QueueTally::State::kWaiting, QueueTally::share_of(*delivery));
  env_.metrics.expired(delivery->recipients());
  Settlement settlement = Settlement::of_expiry(*delivery, context());
  part(std::move(delivery), std::move(settlement.events()), false);
}

void PartitionOwner::unreadable(DeliveryPtr delivery, const Error& error) {
  given_back(*delivery);
  if (!is_lasting(error)) {
    stalled_.push_back(std::move(delivery));
    due_event_.notify();
    return;
  }
  tally_.remove(QueueTally::State::kWaiting, QueueTally::share_of(*delivery));
  const Rope value = whole(*delivery);
  if (delivery->slot) {
    bury(*delivery->slot, record::lane_key(delivery->lane()).substr(record::kLanePrefix.size()),
         value, error);
    return;
  }
  const record::Dead dead = dead_record({{Topic::kRetries, partition_}, 0},
                                        record::delivery_key(delivery->id), value, error);
  env_.metrics.dead();
  kLog.error("a parked delivery goes to dead",
             {{"delivery", delivery->id.to_text()}, {"error", error}});
  if (auto added = journal_.add_dead(delivery, dead); !added)
    stalled_.push_back(std::move(delivery));
  commit_event_.notify();
}

// A share counts as waiting until its commit; acknowledged() moves it on.
void PartitionOwner::part(DeliveryPtr delivery, std::vector<record::Event> events, bool parked) {
  if (parked && !take_room(*delivery)) return postpone(std::move(delivery), events);
  Parting parting{std::move(delivery), std::move(events), parked};
  if (parting_.empty() && settle(parting)) return;
  parting_.push_back(std::move(parting));
  parking_event_.notify();
}

// May its parking be written, or is only the reserve left? A table that cannot be read counts as
// room: settle() finds out.
bool PartitionOwner::take_room(QueuedDelivery& delivery) {
  if (delivery.room) return true;
  const auto adds_content = journal_.adds_content(delivery);
  const bool whole = adds_content && *adds_content;
  delivery.room = env_.spare_room.take(whole ? delivery.record.content.size() : 0);
  return static_cast<bool>(delivery.room);
}

// Only the reserve is left, and it is for endings. A delivery of the window stays there and is
// tried again when it is due; one from the table is tried again from its row as it is. A deferral
// alone writes nothing: attempts may go on for days, and what they wrote would use up the reserve
// as well. Events that end somebody are written, with who is left.
void PartitionOwner::postpone(DeliveryPtr delivery, const std::vector<record::Event>& events) {
  const bool changes_row = ends_somebody(events) || delivery->row_throttled;
  if (delivery->in_table()) {
    if (changes_row) {
      parting_.push_back({std::move(delivery), events, /*parked=*/true});
      parking_event_.notify();
      return;
    }
    env_.metrics.deferral_unwritten();
    tally_.remove(QueueTally::State::kWaiting, QueueTally::share_of(*delivery));
    tally_.add(QueueTally::State::kParked, QueueTally::share_of(*delivery));
    parked_.postponed({from_unix_ms(delivery->record.head.due_unix_ms()), delivery->id});
    due_event_.notify();
    return;
  }
  if (changes_row) {
    if (const auto added = journal_.add_state(*delivery, events); !added) {
      set_problem("retries cannot be written: " + added.error().to_string());
    }
    if (journal_.size() == 1) commit_event_.notify();
  } else if (!events.empty()) {
    env_.metrics.deferral_unwritten();
  }
  delivery->content = {};
  const Timestamp due = from_unix_ms(delivery->record.head.due_unix_ms());
  kept_.push(std::min(due, delivery->expires), std::move(delivery));
  due_event_.notify();
}

// What is due is tried again; the rest is parked as soon as there is room.
void PartitionOwner::bring_kept() {
  for (DeliveryPtr& delivery : kept_.take_due(env_.clock.now())) {
    tally_.remove(QueueTally::State::kWaiting, QueueTally::share_of(*delivery));
    accept(std::move(delivery));
  }
  for (std::size_t i = 0; i < kParkAtOnce && !kept_.empty() && take_room(kept_.first()); ++i) {
    part(kept_.pop(), {}, true);
  }
}

// False: only the reserve is left, it waits in memory.
bool PartitionOwner::park_throttled(DeliveryPtr& delivery) {
  if (!take_room(*delivery)) return false;
  env_.metrics.throttled();
  delivery->record.head.set_throttled(true);
  // Keeps the order in which the lane's mail came.
  delivery->record.head.set_due_unix_ms(to_unix_ms(env_.clock.now()));
  part(std::move(delivery), {}, true);
  return true;
}

// True when the journal has it; false when its content has to be fetched first, or the table has
// failed.
bool PartitionOwner::settle(Parting& parting) {
  if (parting.parked) {
    const auto needed = journal_.needs_content(*parting.delivery);
    if (!needed || *needed) return false;
  }
  const QueueTally::Share share = QueueTally::share_of(*parting.delivery);
  const auto added =
      journal_.add(parting.delivery, parting.events,
                   parting.parked ? Journal::After::kParked : Journal::After::kFinished);
  if (!added) {
    set_problem("retries cannot be read: " + added.error().to_string());
    return false;
  }
  if (!parting.parked) tally_.remove(QueueTally::State::kWaiting, share);
  if (parting.parked) env_.metrics.parked();
  if (journal_.size() == 1) commit_event_.notify();
  return true;
}

async::Task<void> PartitionOwner::parking_loop() {
  while (!lost_) {
    if (parting_.empty()) {
      if (flushing_) break;
      co_await parking_event_.wait();
      continue;
    }
    Parting parting = std::move(parting_.front());
    parting_.pop_front();
    if (parting.parked) {
      const auto needed = journal_.needs_content(*parting.delivery);
      if (needed && *needed) {
        if (const auto loaded = co_await content_.load(*parting.delivery); !loaded) {
          if (is_lasting(loaded.error())) {
            tally_.remove(QueueTally::State::kWaiting, QueueTally::share_of(*parting.delivery));
            tally_.add(QueueTally::State::kActive, QueueTally::share_of(*parting.delivery));
            unreadable(std::move(parting.delivery), loaded.error());
            continue;
          }
          parting_.push_front(std::move(parting));
          if (flushing_) break;  // it stays in the log as it is, and is attempted again
          co_await parking_event_.wait(env_.clock.instant() + kLook);
          continue;
        }
      }
    }
    if (!settle(parting)) {
      parting_.push_front(std::move(parting));
      if (flushing_) break;
      co_await parking_event_.wait(env_.clock.instant() + kLook);
    }
  }
  parking_done_ = true;
  commit_event_.notify();
}

// --- due ---

async::Task<void> PartitionOwner::due_loop() {
  while (!draining_) {
    lanes_.sweep();
    for (DeliveryPtr& delivery : std::exchange(stalled_, {})) {
      lanes_.at(delivery->lane()).lane->push(std::move(delivery));
    }
    bring_kept();
    co_await bring_due();
    co_await refill_lanes();
    const Instant now = env_.clock.instant();
    const Timestamp wall = env_.clock.now();
    const Timestamp next = std::min(parked_.next(wall), kept_.next());
    const Duration ahead = next > wall ? std::min<Duration>(next - wall, kLook) : milliseconds{20};
    co_await due_event_.wait(now + ahead);
  }
}

async::Task<void> PartitionOwner::bring_due() {
  for (DeliveryPtr& delivery : co_await parked_.take_due()) {
    tally_.remove(QueueTally::State::kParked, QueueTally::share_of(*delivery));
    accept(std::move(delivery));
  }
}

async::Task<void> PartitionOwner::refill_lanes() {
  for (const ParkedFeed::Room& room : parked_.lanes_with_room()) {
    if (draining_) co_return;
    for (DeliveryPtr& delivery : co_await parked_.take_waiting(room)) {
      tally_.remove(QueueTally::State::kParked, QueueTally::share_of(*delivery));
      tally_.add(QueueTally::State::kWaiting, QueueTally::share_of(*delivery));
      lanes_.at(room.lane).lane->push(std::move(delivery));
    }
  }
}

// --- commit ---

async::Task<void> PartitionOwner::commit_loop() {
  Instant last = env_.clock.instant() - env_.config.commit_interval;
  bool states_flushed = false;
  while (!lost_) {
    if (flushing_ && parking_done_ && !std::exchange(states_flushed, true))
      lanes_.save_states(true);
    std::optional<Journal::Sealed> sealed;
    const Instant next = last + env_.config.commit_interval;
    const bool more = journal_.size() > 0;
    if (flushing_ || env_.clock.instant() >= next) {
      if (!flushing_) lanes_.save_states(false);
      sealed = journal_.seal();
    }
    if (sealed) {
      last = env_.clock.instant();
      if (!co_await commit(*sealed)) co_return;
      continue;
    }
    if (flushing_ && parking_done_) co_return;
    co_await commit_event_.wait(more ? next : env_.clock.instant() + kLook);
  }
}

// Until it is written; false when it never will be.
async::Task<bool> PartitionOwner::commit(Journal::Sealed& sealed) {
  const Instant began = env_.clock.instant();
  commit_sent_ = began;
  bool paused = false;
  for (;;) {
    auto written = co_await async::completion<Result<log::Written>>(
        [&](auto done) { ownership_->commit(log::Batch(sealed.batch), std::move(done)); });
    if (lost_) co_return false;
    if (written) break;
    env_.metrics.commit_refused();
    const std::error_code code = written.error().code;
    if (code != log::Errc::kNoSpace && code != log::Errc::kUnavailable) {
      kLog.error("a commit failed for good, the partition stops",
                 {{"partition", partition_}, {"error", written.error()}});
      lost("stopped: " + written.error().to_string());
      co_return false;
    }
    if (!paused) {
      kLog.warning("the log does not take a commit; delivery pauses",
                   {{"partition", partition_}, {"error", written.error()}});
      set_problem("the log does not take commits: " + written.error().to_string());
      paused = true;
    }
    co_await async::sleep_for(kCommitRetry);
    if (lost_) co_return false;
  }
  const bool was_late = !may_begin();
  commit_sent_.reset();
  env_.metrics.committed(sealed.entries, env_.clock.instant() - began);
  acknowledged(sealed);
  if (paused) {
    kLog.info("the log takes commits again", {{"partition", partition_}});
    set_problem({});
  }
  if (paused || was_late) lanes_.notify_all();
  co_return true;
}

void PartitionOwner::acknowledged(Journal::Sealed& sealed) {
  journal_.committed(sealed);
  for (const DeliveryId& id : sealed.left) parked_.left(id);
  bool due_changed = false;
  for (const DeliveryPtr& delivery : sealed.parked) {
    tally_.remove(QueueTally::State::kWaiting, QueueTally::share_of(*delivery));
    tally_.add(QueueTally::State::kParked, QueueTally::share_of(*delivery));
    const v1::Delivery& head = delivery->record.head;
    parked_.parked({look_at(head), delivery->id});
    due_changed = true;
    if (head.throttled()) {
      lanes_.set_backlog(lanes_.at(delivery->lane()), delivery->urgent(), true);
    }
  }
  if (due_changed) due_event_.notify();
  if (sealed.slots > 0) read_event_.notify();
}

}  // namespace godwit::sender
