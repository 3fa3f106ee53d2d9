#include "sender/transfer.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "common/accounting/content_place.h"
#include "common/async/completion.h"
#include "common/log/by_message.h"
#include "common/log/log.h"
#include "common/record/body.h"
#include "common/record/keys.h"

namespace godwit::sender {

namespace {

constexpr int kStepsMax = 16;
constexpr std::size_t kEnvelopeRoom = 64u << 10;  // beside content that goes along in the record

}  // namespace

Transfer::Transfer(Environment& environment, ContentReader& content)
    : env_(environment), content_(content) {}

Transfer::~Transfer() = default;

async::Task<Result<log::Append>> Transfer::record_of(QueuedDelivery& delivery,
                                                     log::PartitionId to) {
  record::Delivery moved = delivery.record;
  moved.head.set_throttled(false);
  moved.head.set_suspended(false);
  moved.head.set_expires_unix_ms(to_unix_ms(delivery.expires));
  if (moved.head.history_size() >= kStepsMax) moved.head.mutable_history()->DeleteSubrange(0, 1);
  v1::Step& step = *moved.head.add_history();
  step.set_time_unix_ms(to_unix_ms(env_.clock.now()));
  step.set_site(moved.head.site());
  step.set_pool(moved.head.pool());
  step.set_cause("placement");
  if (moved.content.parked()) {
    CO_TRY_VOID(co_await content_.load(delivery, Instant::max()));
    moved.content.clear_parked();
    auto plain = record::encode(moved);
    if (!plain) co_return fail(std::move(plain).error());
    if (plain->size() + delivery.content.size() + kEnvelopeRoom <= log::kRecordBytesMax) {
      moved.data = delivery.content;
    } else {
      CO_TRY(*moved.content.mutable_body(), co_await put_body(delivery));
    }
  }
  auto value = record::encode(moved);
  if (!value) co_return fail(std::move(value).error());
  co_return log::Append{
      .where = {delivery.urgent() ? log::Topic::kOutboundUrgent : log::Topic::kOutbound, to},
      .key = record::lane_key(delivery.lane()).substr(record::kLanePrefix.size()),
      .value = *std::move(value),
      .refers_to =
          env_.log.reads_by_position() ? accounting::content_place(moved.content) : std::nullopt};
}

async::Task<Result<v1::BodyReference>> Transfer::put_body(const QueuedDelivery& delivery) {
  if (!producer_) producer_ = env_.log.producer();
  const MessageId& id = delivery.id.message;
  const log::PartitionId partitions = env_.log.partitions(log::Topic::kBodies);
  std::vector<log::Append> chunks = log::body_of(id, delivery.content, partitions);
  auto written = co_await async::completion<Result<log::Written>>(
      [&](auto done) { producer_->append(std::move(chunks), std::move(done)); });
  if (!written) co_return fail(std::move(written).error());
  co_return record::refer_to_body(log::partition_of(id, partitions), written->offsets);
}

}  // namespace godwit::sender
