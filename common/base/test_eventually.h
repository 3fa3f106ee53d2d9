#pragma once

#include <chrono>
#include <thread>

namespace godwit {

// For tests: waits for what other threads or processes do, up to a generous limit. True when it came. Whoever waits
// for what must not come asks for the limit to be short, and proves little.
template <class Condition>
[[nodiscard]] bool eventually(Condition condition,
                              std::chrono::milliseconds limit = std::chrono::seconds(60)) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace godwit
