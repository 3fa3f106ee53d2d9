#include "cli/admin/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/text/escape.h"

namespace godwit::cli::admin {
namespace {

// Columns a UTF-8 text takes on a terminal, roughly: its characters.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

std::string bytes_text(std::uint64_t bytes) {
  if (bytes < 1u << 10) return fmt::format("{} B", bytes);
  if (bytes < 1u << 20) return fmt::format("{:.1f} KiB", static_cast<double>(bytes) / (1 << 10));
  if (bytes < 1u << 30) return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
  return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / (1 << 30));
}

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {
  std::vector<std::string> titles;
  titles.reserve(columns_.size());
  for (const Column& column : columns_) titles.emplace_back(column.title);
  rows_.push_back(std::move(titles));
}

void Table::add(const std::vector<std::string>& cells) {
  CHECK(cells.size() == columns_.size(), "{} cells in {} columns", cells.size(), columns_.size());
  std::vector<std::string> row;
  row.reserve(cells.size());
  for (const std::string& cell : cells) row.push_back(text::printable(cell, kCellBytesMax));
  rows_.push_back(std::move(row));
}

std::string Table::to_string() const {
  std::vector<std::size_t> widths(columns_.size(), 0);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string out;
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - width(row[i]), ' ');
      const bool last = i + 1 == row.size();
      if (columns_[i].align == Align::kRight) out += padding;
      out += row[i];
      if (columns_[i].align == Align::kLeft && !last) out += padding;
      if (!last) out += "  ";
    }
    out += '\n';
  }
  return out;
}

}  // namespace godwit::cli::admin
