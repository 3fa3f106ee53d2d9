// Appends of 5 KiB from four threads to the embedded log on a real disk: what a message costs.
//
// Counters: cpu_us (of the whole process) and syncs for each message, messages a second. Many appends are under
// way at once, as in a server with many sessions: `window` of them a thread.

#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <atomic>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "common/base/check.h"
#include "common/base/test_directory.h"
#include "common/log/embedded.h"

namespace godwit::log {
namespace {

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void append_5_kib(benchmark::State& state) {
  constexpr int kThreads = 4;
  constexpr int kMessages = 40'000;
  const auto window = state.range(0);
  const TestDirectory directory;
  EmbeddedConfig config;
  config.directory = directory.path();
  config.counters = std::make_shared<Counters>();
  auto opened = open_embedded(config, system_clock());
  CHECK(opened.has_value(), "{}", opened.error().to_string());
  Log& log = **opened;
  const Bytes content = Bytes::adopt(std::string(5 * 1024, 'x'));

  double cpu = 0;
  std::uint64_t syncs = 0;
  std::uint64_t messages = 0;
  for (auto _ : state) {
    const double cpu_before = cpu_seconds();
    const std::uint64_t syncs_before = config.counters->syncs_total;
    std::atomic<int> failed = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        const auto producer = log.producer();
        std::counting_semaphore<> room(window);
        for (int i = 0; i < kMessages / kThreads; ++i) {
          room.acquire();
          std::vector<Append> records(1);
          records[0].where = {Topic::kAccepted, static_cast<PartitionId>((i + t) % 16)};
          records[0].key = "0123456789abcdef";
          records[0].value = content;
          producer->append(std::move(records), [&](Result<Written> written) {
            if (!written) ++failed;
            room.release();
          });
        }
        for (std::int64_t i = 0; i < window; ++i) room.acquire();
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(failed == 0, "{} appends failed", failed.load());
    cpu += cpu_seconds() - cpu_before;
    syncs += config.counters->syncs_total - syncs_before;
    messages += kMessages;
  }
  state.counters["cpu_us"] = cpu * 1e6 / static_cast<double>(messages);
  state.counters["syncs"] = static_cast<double>(syncs) / static_cast<double>(messages);
  state.counters["messages"] =
      benchmark::Counter(static_cast<double>(messages), benchmark::Counter::kIsRate);
  opened->reset();
}
BENCHMARK(append_5_kib)
    ->Arg(1)
    ->Arg(8)
    ->Arg(25)
    ->Arg(250)
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace godwit::log
