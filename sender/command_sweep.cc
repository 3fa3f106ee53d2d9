#include "sender/command_sweep.h"

#include <algorithm>
#include <utility>

#include "common/async/blocking_pool.h"
#include "common/log/log.h"

namespace godwit::sender {

void CommandSweep::begin() {
  under_way_ = true;
  at_end_ = false;
  ++round_;
  cursor_ = lanes_begin();
  set_ = orders_.current();
}

async::Task<std::vector<DeliveryPtr>> CommandSweep::next() {
  const std::size_t room = std::min(parked_.room(), kDeliveriesAtOnce);
  if (room == 0) co_return std::vector<DeliveryPtr>{};
  if (!late_.empty()) co_return co_await next_late(room);
  if (!under_way_) co_return std::vector<DeliveryPtr>{};
  struct Found {
    std::vector<DeliveryId> ids;
    std::string cursor;
    bool complete = true;
  };
  auto scan = [this, room, cursor = cursor_, set = set_, control = orders_.control(),
               done = orders_.done(), now = env_.clock.now()]() -> Result<Found> {
    Found found{{}, cursor};
    std::size_t seen = 0;
    TRY_VOID(retries_.scan_index(cursor, lanes_end(), [&](std::string_view entry) {
      if (++seen > kEntriesAtOnce || found.ids.size() == room) {
        found.complete = false;
        return false;
      }
      const auto parsed = parse_lane(entry);
      if (parsed && Orders::concerns(*set, *control, done, partition_, *parsed, now))
        found.ids.push_back(parsed->id);
      found.cursor = std::string(entry) + '\0';
      return true;
    }));
    return found;
  };
  const std::uint64_t round = round_;
  auto found = co_await env_.pool.run(std::move(scan));
  if (!found || round != round_) co_return std::vector<DeliveryPtr>{};
  auto taken = co_await parked_.take_these(std::move(found->ids));
  if (!taken) co_return std::vector<DeliveryPtr>{};
  if (round == round_) {
    cursor_ = std::move(found->cursor);
    at_end_ = found->complete;
  }
  co_return *std::move(taken);
}

void CommandSweep::carried_out() {
  if (!std::exchange(at_end_, false)) return;
  under_way_ = false;
  orders_.carried_out(*set_);
}

async::Task<std::vector<DeliveryPtr>> CommandSweep::next_late(std::size_t room) {
  std::vector<DeliveryId> ids;
  for (auto at = late_.begin(); at != late_.end() && ids.size() < room;) {
    ids.push_back(*at);
    at = late_.erase(at);
  }
  auto taken = co_await parked_.take_these(ids);
  if (!taken) late_.insert(ids.begin(), ids.end());
  co_return taken ? *std::move(taken) : std::vector<DeliveryPtr>{};
}

}  // namespace godwit::sender
