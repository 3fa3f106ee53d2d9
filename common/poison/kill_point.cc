#include "common/poison/kill_point.h"

#include <fmt/format.h>

#include <csignal>
#include <cstdlib>
#include <string_view>

#include "common/base/check.h"

namespace godwit::poison {

#ifdef GODWIT_TEST_HOOKS

std::optional<Work> kill_point() {
  const char* text = std::getenv("GODWIT_KILL_IN_HAND");
  if (text == nullptr) return std::nullopt;
  for (int topic = 1; topic <= log::kTopicMax; ++topic) {
    for (const Step step : {Step::kDecode, Step::kSplit, Step::kContent, Step::kTransaction}) {
      const Work work{{{static_cast<log::Topic>(topic), 0}, 0}, step};
      if (text ==
          fmt::format("{}/0/0/{}", log::topic_name(work.record.where.topic), step_name(step)))
        return work;
    }
  }
  CHECK(false, "GODWIT_KILL_IN_HAND={} names no step on a first record", text);
}

#else

std::optional<Work> kill_point() {
  return std::nullopt;
}

#endif

void kill_here() {
  std::raise(SIGKILL);
  std::abort();
}

}  // namespace godwit::poison
