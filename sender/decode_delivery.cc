#include "sender/decode_delivery.h"

#include "common/poison/errc.h"

namespace godwit::sender {

Result<DeliveryPtr> decode_delivery(Environment& environment, const log::RecordPosition& place,
                                    const Rope& value) {
  const poison::Work step{place, poison::Step::kDecode};
  if (environment.hand.refuses(step)) return fail(poison::refusal(step.step));
  const poison::InHand in_hand(environment.hand, step);
  TRY(record::Delivery record, record::decode_delivery(value));
  auto delivery = std::make_unique<QueuedDelivery>();
  delivery->id = record::delivery_id(record);
  delivery->place = place;
  delivery->record = std::move(record);
  delivery->expires = environment.config.retry.expiry(delivery->accepted(),
                                                      delivery->record.head.expires_unix_ms());
  return delivery;
}

}  // namespace godwit::sender
