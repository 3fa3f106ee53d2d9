#include <benchmark/benchmark.h>

#include <cstring>
#include <string>

#include "common/smtp/data_scanner.h"

namespace godwit::smtp {
namespace {

// Lines of a plain mail, or of a base64 attachment (76 octets).
std::string content_of(std::size_t line, std::size_t size) {
  std::string content;
  while (content.size() < size) content += std::string(line, 'x') + "\r\n";
  return content;
}

void scan(benchmark::State& state) {
  const std::string content = content_of(static_cast<std::size_t>(state.range(0)),
                                         static_cast<std::size_t>(state.range(1)));
  for (auto _ : state) {
    DataScanner scanner;
    benchmark::DoNotOptimize(scanner.scan(content));
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * content.size()));
}
BENCHMARK(scan)
    ->Args({40, 5 * 1024})
    ->Args({76, 5 * 1024})
    ->Args({76, 1 << 20})
    ->Args({900, 1 << 20});

// What is compared with: one memchr from line end to line end.
void line_ends(benchmark::State& state) {
  const std::string content = content_of(static_cast<std::size_t>(state.range(0)),
                                         static_cast<std::size_t>(state.range(1)));
  for (auto _ : state) {
    const char* at = content.data();
    const char* const end = at + content.size();
    while (at < end)
      at = static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at))) + 1;
    benchmark::DoNotOptimize(at);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * content.size()));
}
BENCHMARK(line_ends)
    ->Args({40, 5 * 1024})
    ->Args({76, 5 * 1024})
    ->Args({76, 1 << 20})
    ->Args({900, 1 << 20});

}  // namespace
}  // namespace godwit::smtp
