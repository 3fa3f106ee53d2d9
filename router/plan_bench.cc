// What routing one message costs the router's own code: reading the record, splitting it, writing what follows.

#include <benchmark/benchmark.h>

#include <string>

#include "router/plan.h"

namespace godwit::router {
namespace {

Rope accepted_record(std::size_t content_bytes, int recipients) {
  record::Message message;
  message.head.set_message_id("0123456789abcdef");
  message.head.set_accepted_unix_ms(1'767'225'600'000);
  message.head.set_tenant("acme");
  message.head.mutable_origin()->set_protocol("ESMTPA");
  message.head.mutable_origin()->set_helo("client.example");
  message.envelope.set_sender("bounce@acme.example");
  for (int i = 0; i < recipients; ++i) {
    v1::Recipient* recipient = message.envelope.add_recipients();
    recipient->set_index(static_cast<std::uint32_t>(i));
    recipient->set_address("someone@domain" + std::to_string(i) + ".example");
  }
  message.content.set_size(content_bytes);
  message.data = Rope(Bytes::adopt(std::string(content_bytes, 'x')));
  return Rope(record::encode(message).value().flatten());
}

void route_message(benchmark::State& state) {
  const Rope record =
      accepted_record(static_cast<std::size_t>(state.range(0)), static_cast<int>(state.range(1)));
  const control::LaneMap lanes;
  const PlanContext context{
      .outbound_partitions = 16, .node = "node1", .by_position = true, .event_partitions = 16};
  const PoolName pool("default");
  Planner planner(context);
  for (auto _ : state) {
    const record::Message message = record::decode_message(record).value();
    std::vector<DomainGroup> groups = group_by_domain(message.envelope);
    for (DomainGroup& group : groups) group.site = SiteName("google");
    std::vector<log::Append> appends;
    auto planned = planner.plan({.message = message,
                                 .position = {{log::Topic::kAccepted, 3}, 77},
                                 .groups = groups,
                                 .pool = pool,
                                 .lanes = lanes,
                                 .now = from_unix_ms(1'767'225'600'100)},
                                appends);
    benchmark::DoNotOptimize(planned);
    benchmark::DoNotOptimize(appends);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(route_message)
    ->ArgNames({"bytes", "recipients"})
    ->Args({5 << 10, 1})
    ->Args({300 << 10, 1})
    ->Args({5 << 10, 100});

}  // namespace
}  // namespace godwit::router
