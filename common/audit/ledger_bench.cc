#include <benchmark/benchmark.h>

#include <span>
#include <string>

#include "common/audit/ledger.h"
#include "common/base/check.h"
#include "common/base/random.h"

namespace godwit::audit {
namespace {

// Recipients that were accepted and ended, in no order; the default limits, so that large ones spill.
void ledger(benchmark::State& state) {
  for (auto _ : state) {
    SeededRandom random(1);
    Ledger ledger;
    for (std::int64_t i = 0; i < state.range(0); ++i) {
      std::string octets(16, '\0');
      random.fill(std::as_writable_bytes(std::span(octets)));
      const RecipientId recipient{*MessageId::from_octets(octets), 0};
      CHECK(ledger.accepted(recipient).has_value());
      CHECK(ledger
                .ended(recipient, {.ending = Ending::kDelivered,
                                   .attempt = 1,
                                   .origin = "mta1",
                                   .time = from_unix_ms(i)})
                .has_value());
    }
    const auto report = std::move(ledger).settle();
    CHECK(report && report->delivered == static_cast<std::uint64_t>(state.range(0)));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(ledger)->Arg(100'000)->Arg(10'000'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace godwit::audit
