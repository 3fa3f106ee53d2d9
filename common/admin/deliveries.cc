#include "common/admin/deliveries.h"

#include <algorithm>
#include <utility>

namespace godwit::admin {
namespace {

bool is_older(const DeliveryRow& a, const DeliveryRow& b) {
  return std::pair(a.accepted, a.id) < std::pair(b.accepted, b.id);
}

Timestamp older(Timestamp a, Timestamp b) {
  if (a == Timestamp{}) return b;
  return b == Timestamp{} ? a : std::min(a, b);
}

}  // namespace

std::string_view state_name(DeliveryState state) {
  switch (state) {
    case DeliveryState::kWaiting: return "waiting";
    case DeliveryState::kActive: return "active";
    case DeliveryState::kParked: return "parked";
    case DeliveryState::kSuspended: return "suspended";
    case DeliveryState::kHeld: return "held";
  }
  return "unknown";
}

// A heap with the youngest on top, until merge() sorts it: a scan of millions keeps rows_max of them.
void DeliveryList::add(DeliveryRow row, std::size_t rows_max) {
  ++deliveries;
  recipients += row.recipients;
  bytes += row.bytes;
  oldest_accepted = older(oldest_accepted, row.accepted);
  if (rows_max == 0) return;
  if (rows.size() == rows_max) {
    if (!is_older(row, rows.front())) return;
    std::ranges::pop_heap(rows, is_older);
    rows.pop_back();
  }
  rows.push_back(std::move(row));
  std::ranges::push_heap(rows, is_older);
}

DeliveryList merge(std::vector<DeliveryList> parts, std::size_t rows_max) {
  DeliveryList merged;
  for (DeliveryList& part : parts) {
    merged.deliveries += part.deliveries;
    merged.recipients += part.recipients;
    merged.bytes += part.bytes;
    merged.oldest_accepted = older(merged.oldest_accepted, part.oldest_accepted);
    std::ranges::move(part.rows, std::back_inserter(merged.rows));
  }
  std::ranges::sort(merged.rows, is_older);
  if (merged.rows.size() > rows_max) merged.rows.resize(rows_max);
  return merged;
}

}  // namespace godwit::admin
