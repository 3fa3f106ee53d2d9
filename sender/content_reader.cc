#include "sender/content_reader.h"

#include "common/async/blocking_pool.h"
#include "common/async/completion.h"
#include "common/async/sleep.h"
#include "common/base/crc32c.h"
#include "common/log/log.h"
#include "common/poison/errc.h"
#include "common/record/body.h"
#include "common/record/content_field.h"
#include "common/record/errc.h"
#include "sender/errc.h"
#include "sender/journal.h"

namespace godwit::sender {

using log::Topic;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr Duration kDurableWait = seconds{10};

// The content of a record that nobody decodes: it is the record's end (proto Content), and its
// checksum says whether these octets are it. Empty: they are not.
Rope content_at_end(const Rope& record, const v1::Content& content) {
  if (record.size() < content.size()) return {};
  Rope end = record.slice(record.size() - content.size(), content.size());
  return crc32c(end) == content.crc32c() ? end : Rope();
}

// Octets that were put together from several records are those that the delivery means.
Result<void> check(const Rope& octets, const v1::Content& content) {
  if (content.crc32c() == 0 || crc32c(octets) == content.crc32c()) return {};
  return fail(log::Errc::kCorrupt, "content has another checksum than its delivery says");
}

}  // namespace

bool is_lasting(const Error& error) {
  if (error.code.category() == record::category()) return true;
  if (error.code == poison::Errc::kInHand) return true;
  return error.code == log::Errc::kNotFound || error.code == log::Errc::kCorrupt;
}

async::Task<Result<void>> ContentReader::load(QueuedDelivery& delivery, Instant share_by) {
  const record::Delivery& record = delivery.record;
  if (!delivery.content.empty() || record.content.size() == 0) co_return Result<void>{};
  if (record.where() == record::Delivery::Where::kBody) {
    co_return co_await load_body(delivery, share_by);
  }
  ContentBudget::Share memory;
  if (record.where() != record::Delivery::Where::kInline) {  // that is in memory already
    memory = env_.content_budget.try_take(record.content.size());
    if (!memory) {
      memory = co_await env_.content_budget.take(env_.shard, record.content.size(), share_by,
                                                 life_.drained());
    }
    if (!memory) co_return fail(Errc::kContentMemory);
  }
  auto content = co_await fetch(delivery);
  if (!content) {
    if (!delivery.content.empty()) delivery.memory = std::move(memory);  // for `dead`
    co_return fail(std::move(content).error());
  }
  if (content->size() != record.content.size()) {
    co_return fail(log::Errc::kCorrupt, "content has another size than its delivery says");
  }
  if (record.where() != record::Delivery::Where::kPosition) {
    CO_TRY_VOID(co_await wait_for_slot(delivery));
  }
  delivery.content = *std::move(content);
  delivery.memory = std::move(memory);
  co_return Result<void>{};
}

async::Task<Result<void>> ContentReader::load_body(QueuedDelivery& delivery, Instant share_by) {
  const v1::Content& content = delivery.record.content;
  const SharedBodies::Key key{content.body().partition(), content.body().first_offset()};
  SharedBodies::BodyPtr body;
  while (!(body = env_.bodies.find(key))) {
    std::optional<SharedBodies::Reading> reading = env_.bodies.begin(key);
    if (!reading) {
      // As for a share of the memory: whoever reads it may wait for one.
      if (!co_await env_.bodies.wait(key, share_by, life_.drained())) {
        co_return fail(Errc::kContentMemory);
      }
      continue;
    }
    ContentBudget::Share memory =
        co_await env_.content_budget.take(env_.shard, content.size(), share_by, life_.drained());
    if (!memory) co_return fail(Errc::kContentMemory);
    CO_TRY(Rope octets, co_await read_body(content.body()));
    body = reading->done(std::move(octets), std::move(memory));
  }
  if (content.crc32c() != 0 && body->crc != content.crc32c()) {
    co_return fail(log::Errc::kCorrupt, "content has another checksum than its delivery says");
  }
  if (body->octets.size() != content.size()) {
    co_return fail(log::Errc::kCorrupt, "content has another size than its delivery says");
  }
  CO_TRY_VOID(co_await wait_for_slot(delivery));
  delivery.content = body->octets;
  delivery.body = std::move(body);
  co_return Result<void>{};
}

// What the delivery was read from.
async::Task<Result<void>> ContentReader::wait_for_slot(const QueuedDelivery& delivery) {
  if (!delivery.slot || !env_.log.reads_by_position()) co_return Result<void>{};
  co_return co_await wait_durable({delivery.slot->topic, partition_}, delivery.slot->offset);
}

async::Task<Result<Rope>> ContentReader::fetch(QueuedDelivery& delivery) {
  const record::Delivery& record = delivery.record;
  using Where = record::Delivery::Where;
  switch (record.where()) {
    case Where::kInline: co_return record.data;
    case Where::kPosition: co_return co_await read_inline(delivery);
    case Where::kParked: {
      CO_TRY(Rope content, co_await read_parked(delivery.id.message, record.content.size()));
      CO_TRY_VOID(check(content, record.content));
      co_return content;
    }
    case Where::kBody:
    case Where::kNone: break;
  }
  co_return fail(log::Errc::kNotFound, "the delivery names no content");
}

// Readers may be ahead of the disk; the outside world must not be.
async::Task<Result<void>> ContentReader::wait_durable(log::TopicPartition where,
                                                      log::Offset offset) {
  const Instant deadline = env_.clock.instant() + kDurableWait;
  while (env_.log.end(where) <= offset) {
    if (env_.clock.instant() > deadline || life_.lost()) {
      co_return fail(log::Errc::kUnavailable, "what came in is not on disk yet");
    }
    co_await async::sleep_for(milliseconds{2});
  }
  co_return Result<void>{};
}

async::Task<Result<Rope>> ContentReader::read_inline(QueuedDelivery& delivery) {
  const poison::Work step{delivery.place, poison::Step::kContent};
  const v1::Position& position = delivery.record.content.position();
  const log::RecordPosition at{{static_cast<Topic>(position.topic()), position.partition()},
                               position.offset()};
  if (env_.log.end(at.where) <= at.offset) {
    CO_TRY_VOID(co_await wait_durable(at.where, at.offset));
  }
  auto read = co_await async::completion<Result<log::Record>>(
      [&](auto done) { env_.log.read_at(at, std::move(done)); });
  if (!read) co_return fail(std::move(read).error());
  if (env_.hand.refuses(step)) {
    delivery.content = content_at_end(read->value, delivery.record.content);
    co_return fail(poison::refusal(step.step));
  }
  const poison::InHand in_hand(env_.hand, step);
  auto content = record::inline_content(read->value);
  if (!content) {
    delivery.content = content_at_end(read->value, delivery.record.content);
    co_return fail(std::move(content).error());
  }
  co_return *std::move(content);
}

async::Task<Result<Rope>> ContentReader::read_body(const v1::BodyReference& body) {
  CO_TRY(const std::vector<log::Offset> offsets, record::body_offsets(body));
  env_.metrics.body_read();
  Rope octets;
  for (const log::Offset offset : offsets) {
    const log::RecordPosition at{{Topic::kBodies, body.partition()}, offset};
    auto read = co_await async::completion<Result<log::Record>>(
        [&](auto done) { env_.log.read_at(at, std::move(done)); });
    if (!read) co_return fail(std::move(read).error());
    octets.append(read->value);
  }
  co_return octets;
}

async::Task<Result<Rope>> ContentReader::read_parked(MessageId content, std::uint64_t size) {
  auto read = [this, content, size]() -> Result<Rope> {
    Rope octets;
    for (std::size_t part = 0; part < content_parts(size); ++part) {
      TRY(auto value, retries_.get(content_part_key(content, part)));
      if (!value) return fail(log::Errc::kNotFound, "parked content is not there");
      octets.append(Bytes::adopt(*std::move(value)));
    }
    return octets;
  };
  co_return co_await env_.pool.run(std::move(read));
}

}  // namespace godwit::sender
