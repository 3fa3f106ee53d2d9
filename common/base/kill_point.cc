#include "common/base/kill_point.h"

#ifdef GODWIT_TEST_HOOKS

#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdlib>

#include "common/base/check.h"

namespace godwit {
namespace {

constexpr const char* kVariable = "GODWIT_KILL_AT";

struct Order {
  std::string_view name;
  std::uint64_t passage = 1;
};

Order order() {
  const char* const variable = std::getenv(kVariable);
  if (variable == nullptr) return {};
  const std::string_view text(variable);
  const std::size_t colon = text.find(':');
  Order order{text.substr(0, colon)};
  if (colon == std::string_view::npos) return order;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, order.passage);
  CHECK(error == std::errc() && stop == end && order.passage > 0,
        "{}={} is not <name> or <name>:<n>", kVariable, text);
  return order;
}

}  // namespace

void kill_point(std::string_view name) {
  static const Order kOrder = order();
  static std::atomic<std::uint64_t> passages{0};
  if (name != kOrder.name || ++passages != kOrder.passage) return;
  std::raise(SIGKILL);
  std::abort();
}

}  // namespace godwit

#endif
