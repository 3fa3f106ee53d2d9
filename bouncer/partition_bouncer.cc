#include "bouncer/partition_bouncer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/async/completion.h"
#include "common/async/give_way.h"
#include "common/log/by_message.h"
#include "common/observe/log.h"
#include "common/poison/dead_letter.h"
#include "common/poison/whole_record.h"
#include "common/record/body.h"
#include "common/record/event_view.h"
#include "common/record/wire.h"
#include "common/report/report.h"
#include "common/smtp/dot_stuffing.h"

namespace godwit::bouncer {
namespace {

using namespace std::chrono_literals;

constexpr observe::Logger kLog{"bouncer"};
// What a dead report takes with it; reports are read to less than that. See full().
constexpr std::size_t kDeadContentBytesMax = 2 * log::kRecordBytesMax;
constexpr Duration kRetryDelayFirst = 100ms;
constexpr Duration kRetryDelayMax = 5s;

}  // namespace

PartitionBouncer::PartitionBouncer(std::shared_ptr<log::Ownership> ownership,
                                   const PartitionContext& context)
    : ownership_(std::move(ownership)),
      context_(context),
      reports_{.feed = {log::Topic::kReports, ownership_->reader(log::Topic::kReports),
                        context_.shard, wake_}},
      events_{.feed = {log::Topic::kEvents, ownership_->reader(log::Topic::kEvents), context_.shard,
                       wake_}},
      standstill_(kLog, ownership_->partition()) {
  for (Intake* intake : {&reports_, &events_})
    intake->passed = intake->committed = ownership_->committed(intake->feed.topic());
}

async::Task<void> PartitionBouncer::run() {
  const auto self = shared_from_this();
  committed_at_ = context_.shard.now();
  while (!ended()) {
    const bool reports = take(reports_);
    const bool events = take(events_);
    const bool late = passed_uncommitted() && context_.shard.now() >= committed_at_ + kIdleCommit;
    if (!reports && !events && !late) {
      co_await wake_.wait(passed_uncommitted() ? committed_at_ + kIdleCommit : Instant::max());
      continue;
    }
    Batch batch;
    co_await add_reports(batch);
    add_events(batch);
    if (batch.only_passes() && !late) {
      finish(reports_, batch.reports);
      finish(events_, batch.events);
      co_await async::give_way();
    } else {
      co_await commit(std::move(batch));
    }
  }
  if (!lost_ && passed_uncommitted()) co_await commit({});
}

void PartitionBouncer::stop() {
  stopping_ = true;
  wake_.notify();
}

void PartitionBouncer::lose() {
  lost_ = true;
  wake_.notify();
}

std::string PartitionBouncer::problem() const {
  return standstill_.problem();
}

// --- reading ---

bool PartitionBouncer::take(Intake& intake) {
  if (!intake.records.empty()) return true;
  auto taken = intake.feed.take(kTakeRecordsMax, kTakeBytesMax);
  if (!taken) {
    reading_failed(taken.error());
    return false;
  }
  if (taken->lost) {
    // Its octets are gone. Of an event the audit speaks; a report was not understood.
    kLog.error("a record is lost", {{"topic", log::topic_name(intake.feed.topic())},
                                    {"partition", ownership_->partition()},
                                    {"offset", taken->lost->offset},
                                    {"error", taken->lost->error}});
    wake_.notify();
  }
  std::ranges::move(taken->records, std::back_inserter(intake.records));
  return !intake.records.empty();
}

void PartitionBouncer::reading_failed(const Error& error) {
  if (error.code == log::Errc::kClosed) return lose();
  halted_ = true;
  standstill_.set(error.to_string());
}

// --- what a record becomes ---

void PartitionBouncer::add(Batch& batch, log::Append append) {
  batch.bytes += log::bytes_in_batch(append);
  batch.log.appends.push_back(std::move(append));
}

void PartitionBouncer::bury(Batch& batch, const Intake& intake, const log::Record& record,
                            const Error& error) {
  kLog.error("record put into dead", {{"topic", log::topic_name(intake.feed.topic())},
                                      {"partition", ownership_->partition()},
                                      {"offset", record.offset},
                                      {"cause", error}});
  context_.metrics.buried();
  for (log::TableChange& change :
       poison::bury({.position = {{intake.feed.topic(), ownership_->partition()}, record.offset},
                     .key = record.key,
                     .value = record.value,
                     .cause = error.to_string(),
                     .crashes = context_.hand.crashes(step(intake, record)),
                     .role = "bouncer",
                     .now = context_.clock.now()})) {
    batch.bytes += log::bytes_in_batch(change);
    batch.log.changes.push_back(std::move(change));
  }
}

bool PartitionBouncer::full(const Batch& batch) const {
  // One more record never comes to more than this: it is dead, whole; or a notification, which is
  // bounded.
  constexpr std::size_t kOneMore = 4 * log::kRecordBytesMax;
  return batch.bytes > 0 && batch.bytes + kOneMore > ownership_->batch_bytes_max();
}

poison::Work PartitionBouncer::step(const Intake& intake, const log::Record& record) const {
  return {{{intake.feed.topic(), ownership_->partition()}, record.offset}, poison::Step::kDecode};
}

async::Task<void> PartitionBouncer::add_reports(Batch& batch) {
  for (const log::Record& record : reports_.records) {
    if (full(batch) || lost_) break;
    Result<void> done;
    if (const auto message = decode(record); !message) {
      done = fail(message.error());
    } else if (const auto content = co_await load(*message); !content) {
      done = fail(content.error());
    } else {
      done = add_report(batch, *message, *content, record);
    }
    if (!done) {
      log::Record whole = record;
      whole.value =
          co_await poison::whole_record(context_.log, context_.hand, step(reports_, record).record,
                                        record.value, kDeadContentBytesMax);
      bury(batch, reports_, whole, done.error());
    }
    ++batch.reports;
  }
}

Result<record::Message> PartitionBouncer::decode(const log::Record& record) const {
  const poison::Work work = step(reports_, record);
  if (context_.hand.refuses(work)) return fail(poison::refusal(work.step));
  const poison::InHand in_hand(context_.hand, work);
  return record::decode_message(record.value);
}

// As much of the content as is looked at: of what is in `bodies` as many chunks as that takes.
async::Task<Result<std::string>> PartitionBouncer::load(const record::Message& message) {
  Rope content = message.data;
  if (message.where() == record::Message::Where::kBody) {
    const v1::BodyReference& body = message.content.body();
    CO_TRY(const std::vector<log::Offset> offsets, record::body_offsets(body));
    for (const log::Offset offset : offsets) {
      if (content.size() >= report::kReportBytesMax) break;
      const log::RecordPosition at{{log::Topic::kBodies, body.partition()}, offset};
      auto chunk = co_await async::completion<Result<log::Record>>(
          [&](auto done) { context_.log.read_at(at, std::move(done)); });
      if (!chunk) co_return fail(std::move(chunk).error().within("content"));
      content.append(chunk->value);
    }
  }
  std::string octets = content.slice(0, report::kReportBytesMax).to_string();
  if (message.content.dot_stuffed()) octets = smtp::dot_unstuffed(octets);
  co_return octets;
}

Result<void> PartitionBouncer::add_report(Batch& batch, const record::Message& message,
                                          std::string_view content, const log::Record& record) {
  const poison::InHand in_hand(context_.hand, step(reports_, record));
  const report::Report read = report::parse_report(content);
  const control::SnapshotPtr control = context_.control.current();
  const std::vector<record::Event> events =
      attribute(read, message,
                {.control = *control,
                 .return_path = context_.return_path,
                 .node = context_.node,
                 .now = from_unix_ms(message.head.accepted_unix_ms())});
  std::vector<log::Append> appends;
  for (const record::Event& event : events) {
    TRY(Rope value, record::encode(event));
    const auto id = MessageId::from_octets(event.head.message_id()).value_or(MessageId{});
    appends.push_back(
        {.where = {log::Topic::kEvents, log::partition_of(id, context_.event_partitions)},
         .key = event.head.message_id(),
         .value = std::move(value),
         .refers_to = std::nullopt});
  }
  context_.metrics.understood(read.kind);
  if (events.empty() && read.kind != report::Kind::kBounce) context_.metrics.nobodys();
  for (const record::Event& event : events) {
    if (event.head.type() == v1::BOUNCED)
      context_.metrics.late_bounce();
    else
      context_.metrics.complaint();
  }
  kLog.info("report read", {{"message", message.message_id().to_text()},
                            {"kind", report::kind_name(read.kind)},
                            {"events", events.size()},
                            {"offset", record.offset}});
  for (log::Append& append : appends) add(batch, std::move(append));
  return {};
}

Result<std::optional<Noticed>> PartitionBouncer::noticed(const log::Record& record) const {
  // Nearly no event has one: the others are not decoded.
  const Bytes octets = record.value.flatten();
  if (!record::has_field(octets.view(), v1::Event::kNoticeFieldNumber)) return std::nullopt;
  const poison::Work work = step(events_, record);
  if (context_.hand.refuses(work)) return fail(poison::refusal(work.step));
  const poison::InHand in_hand(context_.hand, work);
  Noticed one;
  TRY(one.event, record::decode_event(record.value));
  if (one.event.head.notice().enc() != v1::Sealed::CLEAR ||
      !one.notice.ParseFromString(one.event.head.notice().data())) {
    return fail(std::make_error_code(std::errc::bad_message), "a notice");
  }
  if (one.event.addresses.sender().empty()) return std::nullopt;
  return one;
}

void PartitionBouncer::add_events(Batch& batch) {
  std::vector<Noticed> group;
  const auto tell = [&] {
    if (group.empty()) return;
    auto append =
        notify(group, {.node = context_.node, .accepted_partitions = context_.accepted_partitions});
    if (append) {
      context_.metrics.told();
      add(batch, *std::move(append));
    } else {
      kLog.error(
          "a notification could not be written",
          {{"event", record::event_id(group.front().event.head)}, {"error", append.error()}});
    }
    group.clear();
  };
  for (const log::Record& record : events_.records) {
    if (full(batch)) break;
    auto one = noticed(record);
    if (!one) {
      bury(batch, events_, record, one.error());
    } else if (*one) {
      if (!group.empty() &&
          (group.size() >= kNoticeRecipientsMax || !belong_together(group.front(), **one))) {
        tell();
      }
      group.push_back(**std::move(one));
    }
    ++batch.events;
  }
  tell();
}

// --- the commit ---

bool PartitionBouncer::passed_uncommitted() const {
  return reports_.passed > reports_.committed || events_.passed > events_.committed;
}

// The first `count` records need no further look.
void PartitionBouncer::finish(Intake& intake, std::size_t count) {
  if (count == 0) return;
  intake.passed = intake.records[count - 1].offset + 1;
  intake.records.erase(intake.records.begin(),
                       intake.records.begin() + static_cast<std::ptrdiff_t>(count));
}

async::Task<void> PartitionBouncer::commit(Batch batch) {
  const auto add_position = [&](const Intake& intake, std::size_t count) {
    const log::Offset next = count > 0 ? intake.records[count - 1].offset + 1 : intake.passed;
    if (next > intake.committed) {
      batch.log.positions.push_back(
          {.where = {intake.feed.topic(), ownership_->partition()}, .next = next});
    }
  };
  add_position(reports_, batch.reports);
  add_position(events_, batch.events);
  if (batch.log.positions.empty()) co_return;
  for (Duration delay = kRetryDelayFirst;; delay = std::min(delay * 2, kRetryDelayMax)) {
    log::Batch copy = batch.log;
    const Instant began = context_.shard.now();
    auto written = co_await async::completion<Result<log::Written>>(
        [&](auto done) { ownership_->commit(std::move(copy), std::move(done)); });
    if (lost_) co_return;
    if (written) {
      context_.metrics.committed(context_.shard.now() - began);
      break;
    }
    context_.metrics.commit_failed();
    const std::error_code code = written.error().code;
    if (code == log::Errc::kFenced || code == log::Errc::kUnknown || code == log::Errc::kClosed)
      co_return lose();
    // Nothing of it was written: the same again, later.
    standstill_.set("commit: " + written.error().to_string());
    if (stopping_) co_return;
    co_await wake_.wait(context_.shard.now() + delay);
    if (lost_) co_return;
  }
  if (!halted_) standstill_.set({});
  finish(reports_, batch.reports);
  finish(events_, batch.events);
  reports_.committed = reports_.passed;
  events_.committed = events_.passed;
  committed_at_ = context_.shard.now();
}

}  // namespace godwit::bouncer
