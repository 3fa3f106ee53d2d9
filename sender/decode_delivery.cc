#include "sender/decode_delivery.h"

#include "common/poison/errc.h"

namespace godwit::sender {

Result<DeliveryPtr> decode_delivery(Environment& environment, const log::RecordPosition& place,
                                    const Rope& value) {
  const poison::Work step{place, poison::Step::kDecode};
  if (environment.hand.refuses(step)) return fail(poison::refusal(step.step));
  const poison::InHand in_hand(environment.hand, step);
  DeliveryPtr delivery = make_delivery();
  TRY_VOID(record::decode(value, delivery->record));
  delivery->id = record::delivery_id(delivery->record);
  delivery->place = place;
  delivery->expires = environment.config.retry.expiry(delivery->accepted(),
                                                      delivery->record.head.expires_unix_ms());
  return delivery;
}

}  // namespace godwit::sender
