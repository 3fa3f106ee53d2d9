#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/observe/metrics.h"

namespace godwit::store {

// What a scrape learns about one RocksDB: its own figures, which it keeps anyway. Ends with its destructor.
class StoreMetrics {
 public:
  // The sum of an integer property over all column families, or of the database.
  using Property = std::function<std::uint64_t(const std::string& name, bool of_database)>;
  StoreMetrics(observe::Metrics& metrics, Property property);

 private:
  const Property property_;
  std::vector<observe::Metrics::Sampled> samples_;  // last: they read what is above
};

}  // namespace godwit::store
