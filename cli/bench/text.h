#pragma once

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <string>

namespace godwit::cli::bench {

// "2026-01-02T03:04:05.678901Z"
[[nodiscard]] inline std::string rfc3339_now() {
  const auto now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(seconds), (now - seconds).count());
}

}  // namespace godwit::cli::bench
