#include "sender/queued_delivery.h"

#include <utility>
#include <vector>

namespace godwit::sender {

namespace {

constexpr std::size_t kKeptMax = 256;

// False once the thread's are gone: what is let go behind that is deleted.
thread_local bool keeping = false;

class Kept {
 public:
  Kept() { keeping = true; }
  ~Kept() { keeping = false; }
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;

  std::vector<std::unique_ptr<QueuedDelivery>> deliveries;
};
thread_local Kept kept;

}  // namespace

void DeliveryKeeper::operator()(QueuedDelivery* delivery) const noexcept {
  std::unique_ptr<QueuedDelivery> owner(delivery);
  if (!keeping || kept.deliveries.size() == kKeptMax) return;
  static_cast<DeliveryInHand&>(*delivery) = {};  // what it had of memory and room goes back now
  delivery->record.data = {};
  kept.deliveries.push_back(std::move(owner));
}

DeliveryPtr make_delivery() {
  if (kept.deliveries.empty()) return DeliveryPtr(std::make_unique<QueuedDelivery>().release());
  DeliveryPtr delivery(kept.deliveries.back().release());
  kept.deliveries.pop_back();
  return delivery;
}

}  // namespace godwit::sender
