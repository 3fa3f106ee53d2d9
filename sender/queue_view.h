#pragma once

#include <optional>

#include "common/admin/deliveries.h"
#include "common/async/task.h"
#include "sender/departures.h"
#include "sender/environment.h"
#include "sender/lane_book.h"
#include "sender/orders.h"

namespace godwit::log {
class Table;
}

namespace godwit::sender {

// Shows operators the deliveries of one partition: what is in memory, and what is parked, from the index.
//
// Limits    a list costs a look at everything: memory is for the rows asked for
// Threads   belongs to one shard; the table is read in the blocking pool
class QueueView {
 public:
  QueueView(Environment& environment, const log::Table& retries, log::PartitionId partition,
            const LaneBook& lanes, const Departures& departures, Orders& orders)
      : env_(environment),
        retries_(retries),
        partition_(partition),
        lanes_(lanes),
        departures_(departures),
        orders_(orders) {}

  // Errors: the table's.
  [[nodiscard]] async::Task<Result<admin::DeliveryList>> list(commands::Filter filter,
                                                              std::size_t rows_max);
  // nullopt: it is not here. Errors: the table's.
  [[nodiscard]] async::Task<Result<std::optional<admin::DeliveryDetails>>> show(DeliveryId id);

 private:
  using Visit = std::function<void(const QueuedDelivery& delivery, admin::DeliveryState state)>;
  void visit_memory(const Visit& visit) const;
  [[nodiscard]] admin::DeliveryDetails details_of(const QueuedDelivery& delivery,
                                                  admin::DeliveryState state);

  Environment& env_;
  const log::Table& retries_;
  const log::PartitionId partition_;
  const LaneBook& lanes_;
  const Departures& departures_;
  Orders& orders_;
};

}  // namespace godwit::sender
