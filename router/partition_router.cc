#include "router/partition_router.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <span>
#include <tuple>
#include <utility>

#include "common/async/completion.h"
#include "common/async/give_way.h"
#include "common/base/check.h"
#include "common/observe/log.h"
#include "common/poison/dead_letter.h"
#include "common/poison/whole_record.h"
#include "router/site.h"

namespace godwit::router {
namespace {

using namespace std::chrono_literals;

constexpr observe::Logger kLog{"router"};

constexpr std::size_t kTakeRecordsMax = 256;      // then urgent mail is looked for again
constexpr std::size_t kSpareMax = 32;             // works kept for the next messages
constexpr std::size_t kSpareHeadBytesMax = 4096;  // of each: not those of long lists of recipients
constexpr Duration kRetryDelayFirst = 100ms;
constexpr Duration kRetryDelayMax = 5s;

template <class Change>
std::size_t bytes_in_batch(std::span<Change> changes) {
  std::size_t bytes = 0;
  for (const Change& change : changes) bytes += log::bytes_in_batch(change);
  return bytes;
}

template <class Change>
void cut(std::vector<Change>& changes, std::size_t size) {
  changes.erase(changes.begin() + static_cast<std::ptrdiff_t>(size), changes.end());
}

}  // namespace

PartitionRouter::PartitionRouter(std::shared_ptr<log::Ownership> ownership,
                                 const PartitionContext& context)
    : ownership_(std::move(ownership)),
      context_(context),
      urgent_{.feed = {log::Topic::kAcceptedUrgent, ownership_->reader(log::Topic::kAcceptedUrgent),
                       context_.shard, wake_}},
      bulk_{.feed = {log::Topic::kAccepted, ownership_->reader(log::Topic::kAccepted),
                     context_.shard, wake_}},
      retry_delay_(kRetryDelayFirst),
      move_delay_(kRetryDelayFirst),
      standstill_(kLog, ownership_->partition()) {}

PartitionRouter::~PartitionRouter() {
  context_.metrics.window_changed(
      -static_cast<double>(urgent_.window.size() + bulk_.window.size()));
}

async::Task<void> PartitionRouter::run() {
  const auto self = shared_from_this();
  while (!lost_ && !(stopping_ && !committing_) && !(draining_ && idle())) {
    bool worked = false;
    if (!stopping_ && !draining_ && !halted_) {
      worked = take(urgent_);
      // What is urgent goes first: other mail only when there is none, or no room for it.
      if (!worked || !has_room(urgent_)) worked = take(bulk_) || worked;
    }
    end_patience();
    if (std::exchange(any_dead_, false)) {
      co_await make_dead_whole(urgent_);
      co_await make_dead_whole(bulk_);
    }
    move_again();
    if (!stopping_) worked = commit() || worked;
    if (worked) {
      co_await async::give_way();
    } else {
      co_await wake_.wait(next_deadline());
    }
  }
}

void PartitionRouter::stop() {
  stopping_ = true;
  wake_.notify();
}

void PartitionRouter::drain() {
  draining_ = true;
  wake_.notify();
}

void PartitionRouter::lose() {
  lost_ = true;
  wake_.notify();
}

bool PartitionRouter::idle() const {
  return urgent_.window.empty() && bulk_.window.empty();
}

std::string PartitionRouter::problem() const {
  return standstill_.problem();
}

log::RecordPosition PartitionRouter::position_of(const Intake& intake, const InWork& work) const {
  return {{intake.feed.topic(), ownership_->partition()}, work.record.offset};
}

bool PartitionRouter::has_room(const Intake& intake) const {
  return intake.window.size() < context_.config.window.messages &&
         intake.bytes < context_.config.window.bytes;
}

async::Task<void> PartitionRouter::make_dead_whole(Intake& intake) {
  const std::deque<std::shared_ptr<InWork>> window = intake.window;
  for (const auto& work : window) {
    if (work->cause.empty() || work->whole) continue;
    work->record.value =
        co_await poison::whole_record(context_.log, context_.hand, position_of(intake, *work),
                                      work->record.value, ownership_->batch_bytes_max() / 2);
    work->whole = true;
  }
}

std::shared_ptr<PartitionRouter::InWork> PartitionRouter::new_work() {
  if (spare_.empty()) return std::make_shared<InWork>();
  std::shared_ptr<InWork> work = std::move(spare_.back());
  spare_.pop_back();
  return work;
}

// A look-up may still refer to it, and is not to find another message in its place.
void PartitionRouter::finished(std::shared_ptr<InWork> work) {
  if (work.use_count() > 1 || spare_.size() >= kSpareMax) return;
  if (work->bytes - work->message.data.size() > kSpareHeadBytesMax) return;
  static_cast<Progress&>(*work) = {};
  work->message.data = {};
  spare_.push_back(std::move(work));
}

bool PartitionRouter::take(Intake& intake) {
  if (!has_room(intake)) return false;
  const std::size_t records =
      std::min(kTakeRecordsMax, context_.config.window.messages - intake.window.size());
  auto taken = intake.feed.take(records, context_.config.window.bytes - intake.bytes);
  if (!taken) {
    reading_failed(taken.error());
    return false;
  }
  if (taken->lost) accept_lost(intake, *taken->lost);
  const control::SnapshotPtr control = context_.control.current();
  for (log::Record& record : taken->records) accept(intake, std::move(record), *control);
  context_.metrics.window_changed(static_cast<double>(taken->records.size()));
  return taken->lost || !taken->records.empty();
}

void PartitionRouter::reading_failed(const Error& error) {
  if (error.code == log::Errc::kClosed) return lose();
  halted_ = true;
  standstill_.set(error.to_string());
}

// Its octets are gone. That there was one is kept, where an operator looks.
void PartitionRouter::accept_lost(Intake& intake, const role::RecordFeed::Lost& lost) {
  auto work = new_work();
  work->record.offset = lost.offset;
  work->cause = lost.error.to_string();
  work->whole = true;
  work->routed = context_.clock.now();
  intake.window.push_back(std::move(work));
  context_.metrics.window_changed(1);
}

void PartitionRouter::accept(Intake& intake, log::Record record, const control::Snapshot& control) {
  auto work = new_work();
  work->bytes = record.key.size() + record.value.size();
  work->record = std::move(record);
  work->patience_end = context_.shard.now() + context_.config.sites.patience;
  work->routed = context_.clock.now();
  decode(intake, *work, control);
  if (work->cause.empty()) {
    std::ignore = refused(*work, {position_of(intake, *work), poison::Step::kSplit});
  }
  if (work->cause.empty()) {
    if (needs_body(work->message, work->groups, context_.plan)) move_content(work);
    find_sites(work, control);
  } else {
    any_dead_ = true;
  }
  intake.bytes += work->bytes;
  intake.window.push_back(std::move(work));
}

void PartitionRouter::decode(const Intake& intake, InWork& work, const control::Snapshot& control) {
  const poison::Work step{position_of(intake, work), poison::Step::kDecode};
  if (refused(work, step)) return;
  const poison::InHand in_hand(context_.hand, step);
  if (const auto decoded = record::decode(work.record.value, work.message); !decoded) {
    work.cause = decoded.error().to_string();
    return;
  }
  work.groups = group_by_domain(work.message.envelope);
  const PoolChoice choice = pool_of(work.message.head, control);
  if (!choice.known) context_.metrics.pool_unknown();
  work.pool = choice.pool;
}

bool PartitionRouter::refused(InWork& work, const poison::Work& step) {
  if (!context_.hand.refuses(step)) return false;
  work.cause = poison::refusal(step.step).to_string();
  work.crashes = context_.hand.crashes(step);
  return true;
}

void PartitionRouter::find_sites(const std::shared_ptr<InWork>& work,
                                 const control::Snapshot& control) {
  for (std::size_t i = 0; i < work->groups.size(); ++i) {
    DomainGroup& group = work->groups[i];
    if (auto site = site_without_dns(group.domain, control, context_.routes)) {
      group.site = *std::move(site);
    } else if (const SiteName* remembered = context_.sites.recall(group.domain)) {
      group.site = *remembered;
    } else {
      ++work->unknown_sites;
      context_.sites.ask(group.domain, [self = weak_from_this(), work, i](const SiteName& found) {
        const auto router = self.lock();
        // Without a router, or after the patience ended, nobody waits for the answer any more.
        if (!router || !work->groups[i].site.empty()) return;
        work->groups[i].site = found;
        if (--work->unknown_sites > 0) return;
        work->routed = router->context_.clock.now();
        router->wake_.notify();
      });
    }
  }
}

void PartitionRouter::move_content(const std::shared_ptr<InWork>& work) {
  work->moving = true;
  context_.bodies.append(
      body_of(work->message, context_.plan),
      [self = weak_from_this(), &shard = context_.shard, work](auto written) mutable {
        shard.post([self, work = std::move(work), written = std::move(written)] {
          if (const auto router = self.lock()) router->content_moved(work, written);
        });
      });
}

// What may or may not be there is written again: chunks that nothing refers to go with their retention.
void PartitionRouter::content_moved(const std::shared_ptr<InWork>& work,
                                    const Result<log::Written>& written) {
  wake_.notify();
  if (!written) {
    if (written.error().code == log::Errc::kClosed) return lose();
    unmoved_.push_back(work);
    move_at_ = context_.shard.now() + move_delay_;
    move_delay_ = std::min(move_delay_ * 2, kRetryDelayMax);
    return standstill_.set("content: " + written.error().to_string());
  }
  move_delay_ = kRetryDelayFirst;
  refer_to_body(work->message, written->offsets, context_.plan);
  work->moving = false;
}

void PartitionRouter::move_again() {
  if (unmoved_.empty() || stopping_ || context_.shard.now() < move_at_) return;
  for (const auto& work : std::exchange(unmoved_, {})) move_content(work);
}

void PartitionRouter::end_patience() {
  const Instant now = context_.shard.now();
  for (Intake* intake : {&urgent_, &bulk_}) {
    for (const auto& work : intake->window) {
      if (work->patience_end > now) break;  // those behind came later
      if (work->unknown_sites == 0) continue;
      for (DomainGroup& group : work->groups) {
        if (!group.site.empty()) continue;
        group.site = SiteName(group.domain);
        context_.metrics.patience_ended();
      }
      work->unknown_sites = 0;
      work->routed = context_.clock.now();
    }
  }
}

Instant PartitionRouter::next_deadline() const {
  Instant deadline = unmoved_.empty() ? Instant::max() : move_at_;
  if (committing_) return deadline;
  for (const Intake* intake : {&urgent_, &bulk_}) {
    if (intake->window.empty()) continue;
    const InWork& first = *intake->window.front();
    if (first.ready()) {
      deadline = std::min(deadline, retry_at_);
    } else if (first.unknown_sites > 0) {
      deadline = std::min(deadline, first.patience_end);
    }
  }
  return deadline;
}

bool PartitionRouter::commit() {
  if (committing_ || context_.shard.now() < retry_at_) return false;
  log::Batch batch;
  batch_messages_ = batch_deliveries_ = batch_recipients_ = 0;
  batch_bytes_ = 0;
  const control::SnapshotPtr control = context_.control.current();
  const control::LaneMap& lanes = control->lanes(context_.clock.now());
  add_to(batch, urgent_, lanes);
  add_to(batch, bulk_, lanes);
  if (batch.empty()) return false;
  committing_ = true;
  commit_started_ = context_.shard.now();
  ownership_->commit(std::move(batch),
                     [self = weak_from_this(), &shard = context_.shard](auto written) mutable {
                       shard.post([self, written = std::move(written)] {
                         if (const auto router = self.lock()) router->committed(written);
                       });
                     });
  return true;
}

void PartitionRouter::add_to(log::Batch& batch, Intake& intake, const control::LaneMap& lanes) {
  intake.committing = 0;
  for (const auto& work : intake.window) {
    if (!work->ready() || batch_messages_ >= context_.config.window.batch_messages) break;
    const std::size_t appends = batch.appends.size();
    const std::size_t changes = batch.changes.size();
    const std::size_t bytes = route(intake, *work, lanes, batch);
    if (!work->ready()) {  // it is dead, which only its plan has shown
      any_dead_ = true;
      wake_.notify();
      break;
    }
    // Events are several times as large as the envelope they are about: the window's bound is none for a batch.
    if (batch_messages_ > 0 && batch_bytes_ + bytes > ownership_->batch_bytes_max()) {
      cut(batch.appends, appends);
      cut(batch.changes, changes);
      break;
    }
    if (work->cause.empty()) {
      batch_recipients_ += static_cast<std::uint64_t>(work->message.envelope.recipients_size());
      batch_deliveries_ += work->groups.size();
    }
    batch_bytes_ += bytes;
    ++batch_messages_;
    ++intake.committing;
  }
  if (intake.committing == 0) return;
  const InWork& last = *intake.window[intake.committing - 1];
  batch.positions.push_back(
      {.where = {intake.feed.topic(), ownership_->partition()}, .next = last.record.offset + 1});
}

std::size_t PartitionRouter::route(const Intake& intake, InWork& work,
                                   const control::LaneMap& lanes, log::Batch& batch) {
  const log::RecordPosition position = position_of(intake, work);
  const poison::Work step{position, poison::Step::kSplit};
  if (work.cause.empty() && !refused(work, step)) {
    const poison::InHand in_hand(context_.hand, step);
    const std::size_t before = batch.appends.size();
    const auto planned = planner_.plan({.message = work.message,
                                        .position = position,
                                        .groups = work.groups,
                                        .pool = work.pool,
                                        .lanes = lanes,
                                        .now = work.routed},
                                       batch.appends);
    if (planned) {
      const std::size_t bytes = bytes_in_batch(std::span(batch.appends).subspan(before));
      if (bytes <= ownership_->batch_bytes_max()) return bytes;
      cut(batch.appends, before);
      work.cause =
          fmt::format("a message that becomes {} octets, more than one commit may have", bytes);
    } else {
      work.cause = planned.error().to_string();
    }
  }
  if (!work.ready()) return 0;
  const std::size_t before = batch.changes.size();
  std::ranges::move(poison::bury({.position = position,
                                  .key = work.record.key,
                                  .value = work.record.value,
                                  .cause = work.cause,
                                  .crashes = work.crashes,
                                  .role = "router",
                                  .now = work.routed}),
                    std::back_inserter(batch.changes));
  return bytes_in_batch(std::span(batch.changes).subspan(before));
}

void PartitionRouter::committed(const Result<log::Written>& written) {
  committing_ = false;
  wake_.notify();
  if (!written) {
    context_.metrics.commit_failed();
    const std::error_code code = written.error().code;
    if (code == log::Errc::kFenced || code == log::Errc::kUnknown || code == log::Errc::kClosed)
      return lose();
    // Nothing of it was written, and nothing behind it was sent: the same again, later.
    retry_at_ = context_.shard.now() + retry_delay_;
    retry_delay_ = std::min(retry_delay_ * 2, kRetryDelayMax);
    return standstill_.set("commit: " + written.error().to_string());
  }
  retry_delay_ = kRetryDelayFirst;
  const std::int64_t now_ms = to_unix_ms(context_.clock.now());
  for (Intake* intake : {&urgent_, &bulk_}) {
    context_.metrics.window_changed(-static_cast<double>(intake->committing));
    for (; intake->committing > 0; --intake->committing) {
      const InWork& work = *intake->window.front();
      if (work.cause.empty()) {
        const std::int64_t queued = now_ms - work.message.head.accepted_unix_ms();
        context_.metrics.queued(static_cast<std::uint64_t>(std::max<std::int64_t>(0, queued)));
      } else {
        context_.metrics.buried();
        kLog.error("record put into dead", {{"topic", log::topic_name(intake->feed.topic())},
                                            {"partition", ownership_->partition()},
                                            {"offset", work.record.offset},
                                            {"cause", work.cause}});
      }
      intake->bytes -= work.bytes;
      finished(std::move(intake->window.front()));
      intake->window.pop_front();
    }
  }
  context_.metrics.committed(batch_messages_, batch_deliveries_, batch_recipients_,
                             context_.shard.now() - commit_started_);
  if (!halted_) standstill_.set({});
}

}  // namespace godwit::router
