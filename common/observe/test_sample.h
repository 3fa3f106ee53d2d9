#pragma once

#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "common/observe/metrics.h"

namespace godwit::observe {

// For tests: the value of one series as it is scraped, `godwit_sender_held` or `godwit_x_total{a="b"}`; nothing: it is
// not shown.
inline std::optional<double> sample_of(const Metrics& metrics, std::string_view series) {
  const std::string text = "\n" + metrics.text();
  const std::size_t at = text.find("\n" + std::string(series) + " ");
  if (at == std::string::npos) return std::nullopt;
  return std::strtod(text.c_str() + at + series.size() + 2, nullptr);
}

}  // namespace godwit::observe
