#include "sender/content_reader.h"

#include "common/async/blocking_pool.h"
#include "common/async/completion.h"
#include "common/async/sleep.h"
#include "common/base/crc32c.h"
#include "common/log/log.h"
#include "common/poison/errc.h"
#include "common/record/body.h"
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
  ContentBudget::Share memory;
  if (record.where() != record::Delivery::Where::kInline) {  // that is in memory already
    memory = co_await env_.content_budget.take(env_.shard, record.content.size(), share_by,
                                               life_.drained());
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
  if (delivery.slot && env_.log.reads_by_position() &&
      record.where() != record::Delivery::Where::kPosition) {
    CO_TRY_VOID(co_await wait_durable({delivery.slot->topic, partition_}, delivery.slot->offset));
  }
  delivery.content = *std::move(content);
  delivery.memory = std::move(memory);
  co_return Result<void>{};
}

async::Task<Result<Rope>> ContentReader::fetch(QueuedDelivery& delivery) {
  const record::Delivery& record = delivery.record;
  using Where = record::Delivery::Where;
  switch (record.where()) {
    case Where::kInline: co_return record.data;
    case Where::kPosition: co_return co_await read_inline(delivery);
    case Where::kBody: co_return co_await read_body(record.content);
    case Where::kParked: {
      CO_TRY(Rope content, co_await read_parked(delivery.id.message, record.content.size()));
      CO_TRY_VOID(check(content, record.content));
      co_return content;
    }
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
  CO_TRY_VOID(co_await wait_durable(at.where, at.offset));
  auto read = co_await async::completion<Result<log::Record>>(
      [&](auto done) { env_.log.read_at(at, std::move(done)); });
  if (!read) co_return fail(std::move(read).error());
  if (env_.hand.refuses(step)) {
    delivery.content = content_at_end(read->value, delivery.record.content);
    co_return fail(poison::refusal(step.step));
  }
  const poison::InHand in_hand(env_.hand, step);
  auto message = record::decode_message(read->value);
  if (!message) {
    delivery.content = content_at_end(read->value, delivery.record.content);
    co_return fail(std::move(message).error());
  }
  co_return std::move(message->data);
}

async::Task<Result<Rope>> ContentReader::read_body(const v1::Content& content) {
  CO_TRY(const std::vector<log::Offset> offsets, record::body_offsets(content.body()));
  Rope octets;
  for (const log::Offset offset : offsets) {
    const log::RecordPosition at{{Topic::kBodies, content.body().partition()}, offset};
    auto read = co_await async::completion<Result<log::Record>>(
        [&](auto done) { env_.log.read_at(at, std::move(done)); });
    if (!read) co_return fail(std::move(read).error());
    octets.append(read->value);
  }
  CO_TRY_VOID(check(octets, content));
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
