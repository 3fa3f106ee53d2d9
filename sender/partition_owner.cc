#include "sender/partition_owner.h"

#include <algorithm>
#include <utility>

#include "common/async/blocking_pool.h"
#include "common/async/sleep.h"
#include "common/log/log.h"
#include "common/observe/log.h"
#include "common/record/keys.h"
#include "sender/restored_state.h"

namespace godwit::sender {

using log::Topic;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr observe::Logger kLog{"sender"};
constexpr Duration kLook = seconds{1};         // loops look again at least this often
constexpr Duration kFlushMax = seconds{5};     // for the last commit, where the log has no lease
constexpr milliseconds kDueSoon = seconds{1};  // a due time this close is now
constexpr milliseconds kEndingPoll{20};

}  // namespace

PartitionOwner::PartitionOwner(Environment& environment, std::shared_ptr<log::Ownership> ownership)
    : env_(environment),
      ownership_(std::move(ownership)),
      partition_(ownership_->partition()),
      retries_(ownership_->table(Topic::kRetries)),
      windows_(make_windows(*ownership_, env_.config.window)),
      journal_(partition_, env_.log.partitions(Topic::kEvents), ownership_->batch_bytes_max(),
               retries_, windows_.urgent, windows_.bulk, !env_.log.reads_by_position()),
      lanes_(env_, *this, couriers_, journal_),
      content_(env_, retries_, partition_, life_),
      parked_(env_, retries_, partition_, lanes_),
      departures_(env_, *this, life_, journal_, content_, parked_, tally_),
      orders_(env_.commands, env_.control, env_.clock, partition_),
      sweep_(env_, retries_, partition_, orders_, parked_),
      view_(env_, retries_, partition_, lanes_, departures_, orders_),
      decisions_(env_, journal_, parked_, tally_),
      dead_(env_, partition_, ownership_->batch_bytes_max(), journal_),
      intake_(env_, *ownership_, life_, windows_, journal_, lanes_, departures_, dead_, loops_,
              [this](DeliveryPtr delivery) { accept(std::move(delivery)); }),
      writer_(
          env_, *ownership_, life_, journal_, lanes_,
          {.acknowledged = [this](Journal::Sealed& sealed) { acknowledged(sealed); },
           .ending = [this] { journal_.add_change(std::string(record::kOwnerKey), std::nullopt); },
           .failed = [this](std::string why) { lost(std::move(why)); }}) {}

PartitionOwner::~PartitionOwner() = default;

// --- from assignment to release ---

void PartitionOwner::start() {
  env_.shard.spawn(run(), loops_);
}

// No mail is taken, and so none attempted, before it is known what operators ordered.
async::Task<void> PartitionOwner::wait_for_commands() {
  while (!draining() && env_.commands.version() == 0) co_await async::sleep_for(kEndingPoll);
}

async::Task<void> PartitionOwner::run() {
  co_await wait_for_commands();
  env_.commands.owned(partition_);
  while (!draining()) {
    const Result<void> restored = co_await restore();
    if (restored) break;
    kLog.error("parked mail cannot be read",
               {{"partition", partition_}, {"error", restored.error()}});
    life_.set_problem("parked mail cannot be read: " + restored.error().to_string());
    co_await async::sleep_for(kLook);
  }
  if (draining()) co_return;
  life_.set_problem({});
  env_.shard.spawn(intake_.run(), loops_);
  env_.shard.spawn(departures_.run(), loops_);
  env_.shard.spawn(bring_back(), loops_);
  env_.shard.spawn(writer_.run(), loops_);
}

async::Task<Result<void>> PartitionOwner::restore() {
  auto restored = co_await env_.pool.run([this] { return read_state(retries_); });
  if (!restored) co_return fail(std::move(restored).error());
  claim(*restored);
  intake_.restore(restored->finished, std::move(restored->slots));
  tally_ = std::move(restored->tally);
  tally_.show(env_.metrics);
  lanes_.restore(std::move(restored->lanes));
  for (const auto& [id, urgent] : restored->backlogs) {
    lanes_.set_backlog(lanes_.at(id), urgent, true);
  }
  co_return Result<void>{};
}

void PartitionOwner::claim(const RestoredState& restored) {
  if (restored.claim) lanes_.taken_unclean(env_.clock.instant());
  ended_ = env_.ended_attempts.take(partition_);
  if (restored.claim && restored.claim->process() == env_.process) {
    claimed_ = true;
    return;
  }
  if (!ended_.empty()) {
    kLog.warning("another owner was here: outcomes that were not committed are dropped",
                 {{"partition", partition_}, {"attempts", ended_.size()}});
    ended_.clear();
  }
  v1::OwnerClaim claim;
  claim.set_version(record::kVersion);
  claim.set_process(env_.process);
  claim.set_node(env_.node);
  claim.set_since_unix_ms(to_unix_ms(env_.clock.now()));
  journal_.add_change(std::string(record::kOwnerKey), record::encode(claim));
}

// What was attempted and may not be in the log.
void PartitionOwner::keep_ended() {
  EndedByDelivery ended = std::move(ended_);  // that did not come by
  if (const auto& batch = writer_.unacknowledged()) add_ended(*batch, ended);
  while (const auto sealed = journal_.seal()) add_ended(sealed->batch, ended);
  departures_.take_ended(ended);
  if (!ended.empty()) env_.ended_attempts.keep(partition_, std::move(ended));
}

void PartitionOwner::drain() {
  life_.drain();
  lanes_.notify_all();
}

async::Task<void> PartitionOwner::stop(Instant deadline) {
  drain();
  while (couriers_.count() > 0 && env_.clock.instant() < deadline) {
    co_await async::sleep_for(kEndingPoll);
  }
  life_.abort().request();  // a final dot that is still open is parked as `outcome: unknown`
  co_await couriers_.close();
  life_.flush();
  // What cannot be committed in time stays in the log as it was, and is attempted again by the next
  // owner. A commit under way has its answer when its lease is over: brokers may be slow to end the
  // transaction before it. Where the log waits for less, it refuses the commit, and that ends it.
  const Duration flush =
      std::max<Duration>(kFlushMax, ownership_->lease().value_or(milliseconds{0}) + seconds{1});
  const Instant flush_by = std::max(deadline, env_.clock.instant()) + flush;
  while (loops_.count() > 0 && env_.clock.instant() < flush_by) {
    co_await async::sleep_for(kEndingPoll);
  }
  if (loops_.count() > 0) lost();
  co_await loops_.close();
  if (life_.lost()) keep_ended();
}

void PartitionOwner::lost(std::string why) {
  life_.lose(std::move(why));
  lanes_.notify_all();
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

namespace {

// Coroutines take what they need by value.
template <class Answer>
async::Task<void> pass_on(async::Task<Result<Answer>> question,
                          PartitionOwner::Answered<Answer> answered) {
  answered(co_await std::move(question));
}

}  // namespace

void PartitionOwner::list(commands::Filter filter, std::size_t rows_max,
                          Answered<admin::DeliveryList> answered) {
  env_.shard.spawn(pass_on(view_.list(std::move(filter), rows_max), std::move(answered)), loops_);
}

void PartitionOwner::show(DeliveryId id, Answered<std::optional<admin::DeliveryDetails>> answered) {
  env_.shard.spawn(pass_on(view_.show(id), std::move(answered)), loops_);
}

// --- what comes ---

std::optional<control::LaneShare> PartitionOwner::share_of(const LaneId& lane) const {
  return env_.control.current()
      ->lanes(env_.clock.now())
      .share_of(lane, partition_, env_.log.partitions(Topic::kOutbound));
}

// To the partition where its lane is now. False: only the reserve of the log is left, or it is here.
bool PartitionOwner::move(DeliveryPtr& delivery) {
  const log::PartitionId to =
      env_.control.current()
          ->lanes(env_.clock.now())
          .partition_of(delivery->lane(), std::hash<DeliveryId>{}(delivery->id),
                        env_.log.partitions(Topic::kOutbound));
  return to != partition_ && departures_.move(delivery, to);
}

void PartitionOwner::enter_lane(DeliveryPtr delivery) {
  if (obey(delivery)) return;
  if (!share_of(delivery->lane()) && move(delivery)) return;
  lanes_.at(delivery->lane()).lane->push(std::move(delivery));
}

// Where a delivery goes that has just come, from the window or from the table.
void PartitionOwner::accept(DeliveryPtr delivery) {
  if (delivery->record.head.has_decision()) {
    decisions_.add(std::move(delivery));
    life_.wake.due.notify();
    return;
  }
  delivery->record.head.set_suspended(false);
  tally_.add(QueueTally::State::kWaiting, QueueTally::share_of(*delivery));
  if (settle_ended(delivery)) return;
  const Timestamp now = env_.clock.now();
  if (delivery->expires <= now) {
    expired(std::move(delivery));
    return;
  }
  const bool held = all_held(delivery->record.envelope);
  if (held) delivery->record.head.set_due_unix_ms(to_unix_ms(delivery->expires));
  const bool later = from_unix_ms(delivery->record.head.due_unix_ms()) > now + kDueSoon;
  // What is not due waits for that first: who suspends it may be done by then.
  if ((!later || is_cancelled(*delivery)) && obey(delivery)) return;
  if (held || later) {
    departures_.leave(std::move(delivery), {}, true);
    return;
  }
  if (!share_of(delivery->lane()) && move(delivery)) return;
  LaneBook::Entry& state = lanes_.at(delivery->lane());
  const bool urgent = delivery->urgent();
  if (state.backlog(urgent).there && state.lane->waiting(urgent) >= env_.config.window.lane_share &&
      departures_.park_throttled(delivery)) {
    return;
  }
  state.lane->push(std::move(delivery));
}

// It was attempted by this process before it lost the partition, and the log does not show it.
bool PartitionOwner::settle_ended(DeliveryPtr& delivery) {
  if (ended_.empty()) return false;
  auto found = ended_.extract(delivery->id);
  if (!found || found.mapped().attempt() != delivery->record.head.attempts() + 1) return false;
  EndedAttempt& ended = found.mapped();
  const bool parked = ended.left.has_value();
  tally_.remove(QueueTally::State::kWaiting, QueueTally::share_of(*delivery));
  if (parked) {
    delivery->record.head = std::move(ended.left->head);
    delivery->record.envelope = std::move(ended.left->envelope);
  }
  tally_.add(QueueTally::State::kWaiting, QueueTally::share_of(*delivery));
  departures_.leave(std::move(delivery), std::move(ended.events), parked);
  return true;
}

// --- what operators ordered ---

bool PartitionOwner::is_cancelled(const QueuedDelivery& delivery) {
  const commands::Command* said = orders_.verdict(delivery);
  return said != nullptr && said->kind == commands::Kind::kCancel;
}

// Of what waits. True: it is not attempted, and has left.
bool PartitionOwner::obey(DeliveryPtr& delivery) {
  const commands::Command* said = orders_.verdict(*delivery);
  if (said == nullptr) return false;
  if (said->kind == commands::Kind::kCancel) return cancel(delivery, *said);
  orders_.touched(*said, delivery->recipients());
  departures_.suspend(std::move(delivery));
  return true;
}

bool PartitionOwner::cancel(DeliveryPtr& delivery, const commands::Command& command) {
  const QueueTally::Share before = QueueTally::share_of(*delivery);
  Settlement settlement = Settlement::of_cancel(*delivery, command, context());
  const auto cancelled = static_cast<std::uint32_t>(settlement.events().size());
  orders_.touched(command, cancelled);
  env_.metrics.cancelled(cancelled);
  // Added first: groups that both are in stay where they are.
  tally_.add(QueueTally::State::kWaiting, QueueTally::share_of(*delivery));
  tally_.remove(QueueTally::State::kWaiting, before);
  departures_.leave(std::move(delivery), std::move(settlement.events()), !settlement.finished());
  return true;
}

// After an attempt that was under way when the command came: whoever is left of it is not offered again.
void PartitionOwner::cancel_rest(QueuedDelivery& delivery, Settlement& settlement) {
  const commands::Command* said = orders_.verdict(delivery);
  if (said == nullptr || said->kind != commands::Kind::kCancel) return;
  const auto cancelled = settlement.add(Settlement::of_cancel(delivery, *said, context()));
  orders_.touched(*said, cancelled);
  env_.metrics.cancelled(cancelled);
}

// Commands came, went or ended: what is in memory is looked at now, what is parked bit by bit.
void PartitionOwner::look_at_orders() {
  if (!orders_.changed()) return;
  const auto is_meant = [this](const QueuedDelivery& one) { return is_withheld(one); };
  for (DeliveryPtr& delivery : lanes_.take_if(is_meant)) enter_lane(std::move(delivery));
  lanes_.sources_changed();
  for (DeliveryPtr& delivery : departures_.take_all_kept()) accept(std::move(delivery));
  if (tally_.any_suspended() || orders_.any_to_carry_out()) sweep_.begin();
}

async::Task<void> PartitionOwner::sweep_parked() {
  for (DeliveryPtr& delivery : co_await sweep_.next()) carry_out(std::move(delivery));
  sweep_.carried_out();
}

// Of what was parked a moment ago.
void PartitionOwner::carry_out(DeliveryPtr parked) {
  v1::Delivery& head = parked->record.head;
  const Timestamp now = env_.clock.now();
  const commands::Command* said = orders_.verdict(*parked);
  const bool resumes = said == nullptr && head.suspended();
  const bool cancels = is_cancelled(*parked);
  const bool later =
      !head.suspended() && !head.throttled() && from_unix_ms(head.due_unix_ms()) > now;
  const commands::Command* retry = said == nullptr && later ? orders_.retry_of(*parked) : nullptr;
  if (!resumes && !cancels && retry == nullptr) {
    parked_.postponed({look_at(head), parked->id});
    return;
  }
  tally_.remove(QueueTally::State::kParked, QueueTally::share_of(*parked));
  parked->row_throttled = head.throttled();
  head.set_throttled(false);
  if (retry != nullptr) {
    orders_.touched(*retry, parked->recipients());
    head.set_due_unix_ms(to_unix_ms(now));
  }
  // More than its lane has room for goes on waiting in the table, behind its limits.
  LaneBook::Entry& lane = lanes_.at(parked->lane());
  if (!cancels && lane.lane->waiting(parked->urgent()) >= env_.config.window.lane_share) {
    lanes_.set_backlog(lane, parked->urgent(), true);
  }
  accept(std::move(parked));
}

// --- what lanes and couriers say ---

bool PartitionOwner::may_begin() const {
  return !draining() && claimed_ && writer_.may_begin();
}

Settlement::Context PartitionOwner::context() const {
  return {env_.config.retry,
          env_.random,
          env_.node,
          env_.clock.now(),
          {env_.config.notify ? env_.control.current() : nullptr, &env_.return_path,
           env_.config.delay_notice}};
}

Settlement::Context PartitionOwner::context_of(const QueuedDelivery& delivery) const {
  Settlement::Context context = this->context();
  const control::SnapshotPtr control = env_.control.current();
  const control::Tenant* tenant = control->tenant(delivery.record.head.tenant());
  context.hold_unknown =
      tenant != nullptr && tenant->outcome_unknown == control::OutcomeUnknown::kHold;
  return context;
}

async::Task<bool> PartitionOwner::commit_token(const LaneId& lane) {
  lanes_.save_state(lane);
  life_.wake.commit.notify();
  co_return co_await writer_.written();
}

void PartitionOwner::taken(const QueuedDelivery& delivery) {
  tally_.move(QueueTally::State::kWaiting, QueueTally::State::kActive,
              QueueTally::share_of(delivery));
  if (!lanes_.any_backlog()) return;
  const LaneBook::Entry& state = lanes_.at(delivery.lane());
  // There is room for more of its parked mail.
  if (lanes_.wants_more(state, delivery.urgent())) life_.wake.due.notify();
}

void PartitionOwner::given_back(const QueuedDelivery& delivery) {
  tally_.move(QueueTally::State::kActive, QueueTally::State::kWaiting,
              QueueTally::share_of(delivery));
}

void PartitionOwner::attempted(DeliveryPtr delivery, const AttemptReport& report) {
  const QueueTally::Share before = QueueTally::share_of(*delivery);
  for (const RecipientResult& result : report.recipients) {
    switch (result.verdict) {
      case Verdict::kDelivered: env_.metrics.delivered(1); break;
      case Verdict::kBounced: env_.metrics.bounced(1); break;
      case Verdict::kHeld: break;
      case Verdict::kUnknown: env_.metrics.outcome_unknown(1); [[fallthrough]];
      default: env_.metrics.deferred(1);
    }
  }
  lanes_.at(delivery->lane())
      .lane->metrics()
      .attempted(report, env_.clock.now() - delivery->accepted(),
                 delivery->record.head.attempts() == 0, delivery->urgent());
  Settlement settlement = Settlement::of_attempt(*delivery, report, context_of(*delivery));
  env_.metrics.held(settlement.held());
  if (!settlement.finished()) cancel_rest(*delivery, settlement);
  // Added first: groups that both are in stay where they are.
  tally_.add(QueueTally::State::kWaiting, QueueTally::share_of(*delivery));
  tally_.remove(QueueTally::State::kActive, before);
  departures_.leave(std::move(delivery), std::move(settlement.events()), !settlement.finished());
}

void PartitionOwner::expired(DeliveryPtr delivery) {
  tally_.remove(QueueTally::State::kWaiting, QueueTally::share_of(*delivery));
  env_.metrics.expired(delivery->recipients());
  lanes_.at(delivery->lane()).lane->metrics().expired(delivery->recipients());
  Settlement settlement = Settlement::of_expiry(*delivery, context());
  departures_.leave(std::move(delivery), std::move(settlement.events()), false);
}

void PartitionOwner::unreadable(DeliveryPtr delivery, const Error& error) {
  given_back(*delivery);
  if (!is_lasting(error)) {
    delivery->drop_content();
    stalled_.push_back(std::move(delivery));
    life_.wake.due.notify();
    return;
  }
  tally_.remove(QueueTally::State::kWaiting, QueueTally::share_of(*delivery));
  if (auto added = dead_.add(delivery, error); !added) stalled_.push_back(std::move(delivery));
  life_.wake.commit.notify();
}

// --- what comes back ---

async::Task<void> PartitionOwner::bring_back() {
  while (!draining()) {
    lanes_.sweep();
    rank_domains();
    look_at_orders();
    move_strays();
    bring_stalled();
    bring_kept();
    co_await bring_due();
    co_await refill_lanes();
    co_await sweep_parked();
    co_await decide();
    const Instant now = env_.clock.instant();
    const Timestamp wall = env_.clock.now();
    const Timestamp next =
        std::min({parked_.next(wall), departures_.kept_until(), lanes_.changes_at(),
                  orders_.changes_at(), sweep_.busy() ? wall : Timestamp::max()});
    const Duration ahead = next > wall ? std::min<Duration>(next - wall, kLook) : milliseconds{20};
    co_await life_.wake.due.wait(now + ahead);
  }
}

void PartitionOwner::rank_domains() {
  const Instant now = env_.clock.instant();
  if (now < ranks_at_) return;
  ranks_at_ = now + kLook;
  tally_.rank_domains();
}

// Mail whose lane went elsewhere while it waited here.
void PartitionOwner::move_strays() {
  for (DeliveryPtr& delivery : lanes_.take_strays()) enter_lane(std::move(delivery));
}

void PartitionOwner::bring_stalled() {
  for (DeliveryPtr& delivery : std::exchange(stalled_, {})) enter_lane(std::move(delivery));
}

void PartitionOwner::bring_kept() {
  for (DeliveryPtr& delivery : departures_.take_kept()) accept(std::move(delivery));
  departures_.park_kept();
}

async::Task<void> PartitionOwner::bring_due() {
  for (DeliveryPtr& delivery : co_await parked_.take_due()) {
    tally_.remove(QueueTally::State::kParked, QueueTally::share_of(*delivery));
    accept(std::move(delivery));
  }
}

async::Task<void> PartitionOwner::refill_lanes() {
  for (const ParkedFeed::Room& room : parked_.lanes_with_room()) {
    if (draining()) co_return;
    for (DeliveryPtr& delivery : co_await parked_.take_waiting(room)) {
      tally_.remove(QueueTally::State::kParked, QueueTally::share_of(*delivery));
      tally_.add(QueueTally::State::kWaiting, QueueTally::share_of(*delivery));
      if (settle_ended(delivery)) continue;
      enter_lane(std::move(delivery));
    }
  }
}

async::Task<void> PartitionOwner::decide() {
  if (co_await decisions_.run(context())) life_.wake.commit.notify();
}

// --- what is committed ---

void PartitionOwner::acknowledged(Journal::Sealed& sealed) {
  // The claim is the first entry of all.
  if (!std::exchange(claimed_, true)) lanes_.notify_all();
  for (const DeliveryId& id : sealed.left) parked_.left(id);
  for (const DeliveryPtr& delivery : sealed.parked) {
    tally_.remove(QueueTally::State::kWaiting, QueueTally::share_of(*delivery));
    tally_.add(QueueTally::State::kParked, QueueTally::share_of(*delivery));
    const v1::Delivery& head = delivery->record.head;
    parked_.parked({look_at(head), delivery->id});
    // A command that came while it was on its way here did not find it.
    const bool resumes = head.suspended() && !is_withheld(*delivery);
    if (resumes || is_cancelled(*delivery)) sweep_.look_at(delivery->id);
    if (head.throttled()) {
      lanes_.set_backlog(lanes_.at(delivery->lane()), delivery->urgent(), true);
    }
  }
  if (!sealed.parked.empty()) life_.wake.due.notify();
  if (sealed.slots > 0) life_.wake.reading.notify();
}

}  // namespace godwit::sender
