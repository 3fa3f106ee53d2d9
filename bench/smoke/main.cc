// Runs one scenario, under callgrind or without: README.md.
//
//     bench_smoke --list
//     bench_smoke NAME WARM_UP ROUNDS      prints of ROUNDS: messages, octets copied, allocations
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "bench/smoke/counts.h"
#include "bench/smoke/scenario.h"
#include "common/base/check.h"
#include "common/base/random.h"
#include "common/observe/log.h"

namespace godwit::bench {
namespace {

std::vector<NamedScenario> all() {
  std::vector<NamedScenario> list;
  for (const auto& part : {node_scenarios(), part_scenarios()})
    list.insert(list.end(), part.begin(), part.end());
  return list;
}

unsigned number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  CHECK(error == std::errc{} && end == text.data() + text.size(), "{} is no number", text);
  return value;
}

void run(const NamedScenario& named, unsigned warm_up, unsigned rounds) {
  repeat_system_random(1);
  observe::set_level(observe::Level::kWarning);
  const std::unique_ptr<Scenario> scenario = named.make();
  for (unsigned i = 0; i < warm_up; ++i) scenario->round();
  start_counting();
  for (unsigned i = 0; i < rounds; ++i) scenario->round();
  stop_counting();
  fmt::print("{} {} {}\n", scenario->messages() * rounds, counts().octets_copied,
             counts().allocations);
  std::fflush(stdout);
  std::_Exit(0);
}

int command(std::span<const std::string_view> arguments) {
  if (arguments.size() == 1 && arguments[0] == "--list") {
    for (const NamedScenario& one : all()) fmt::print("{}\n", one.name);
    return 0;
  }
  if (arguments.size() == 3) {
    for (const NamedScenario& one : all()) {
      if (one.name == arguments[0]) run(one, number(arguments[1]), number(arguments[2]));
    }
  }
  fmt::print(stderr, "usage: bench_smoke --list | NAME WARM_UP ROUNDS\n");
  return 2;
}

}  // namespace

}  // namespace godwit::bench

int main(int count, char** values) {
  const std::vector<std::string_view> arguments(values + 1, values + count);
  return godwit::bench::command(arguments);
}
