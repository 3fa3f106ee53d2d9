#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

namespace godwit::accounting {

// Of any number of rows the oldest `rows_max`, by the time that `time_of` says.
template <class Row, class TimeOf>
class Oldest {
 public:
  Oldest(std::size_t rows_max, TimeOf time_of) : rows_max_(rows_max), time_of_(time_of) {}

  void add(Row row) {
    rows_.push_back(std::move(row));
    std::ranges::push_heap(rows_, std::ranges::less{}, time_of_);
    if (rows_.size() <= rows_max_) return;
    std::ranges::pop_heap(rows_, std::ranges::less{}, time_of_);  // the youngest
    rows_.pop_back();
  }
  // The oldest first.
  [[nodiscard]] std::vector<Row> take() && {
    std::ranges::sort_heap(rows_, std::ranges::less{}, time_of_);
    return std::move(rows_);
  }

 private:
  const std::size_t rows_max_;
  const TimeOf time_of_;
  std::vector<Row> rows_;  // a heap whose front is the youngest
};

}  // namespace godwit::accounting
