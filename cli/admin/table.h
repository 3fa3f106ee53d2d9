#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::cli::admin {

// "17 B", "1.5 MiB".
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);

// Text in columns, for the terminal. Cells are made printable (text::printable), cut at kCellBytesMax and padded
// to the widest of their column; the last column is not padded.
class Table {
 public:
  static constexpr std::size_t kCellBytesMax = 200;
  enum class Align { kLeft, kRight };
  struct Column {
    std::string_view title;
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns);
  // As many cells as columns.
  void add(const std::vector<std::string>& cells);
  [[nodiscard]] bool empty() const { return rows_.size() == 1; }
  // Title line and rows, each with a line break.
  [[nodiscard]] std::string to_string() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;  // the titles first
};

}  // namespace godwit::cli::admin
