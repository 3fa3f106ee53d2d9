#include "tests/simulation/simulation.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/check.h"
#include "common/record/records.h"
#include "tests/simulation/control_data.h"
#include "tests/simulation/customer.h"
#include "tests/simulation/operator.h"
#include "tests/simulation/simulated_log.h"

namespace godwit::simulation {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kAge = 6min;
constexpr Duration kTrouble = 100s;     // for so long nodes are killed, paused, cut off
constexpr Duration kUntilCalm = 200s;   // then hosts and DNS are kind
constexpr Duration kPatience = 10min;   // behind the last age, until all must have ended
constexpr Duration kAfterwards = 1min;  // when all has ended: for what should not come
constexpr Duration kAbsence = 24h * 8;  // longer than tombstones are kept
// How long transactions under way are waited for when a partition is given back: the default, and too short for most.
constexpr std::chrono::milliseconds kDrainWait = 20s;
constexpr std::chrono::milliseconds kDrainSoon = 2s;
constexpr std::uint64_t kStepsMax = 30'000'000;

class Simulation {
 public:
  explicit Simulation(const Options& options);
  Outcome run();

 private:
  void plan();
  void plan_fault();
  void plan_absence();
  void plan_change();
  void plan_garbage();
  void plan_poison();
  void calm_down();
  void heal();
  void keep_up();
  bool step();
  void run_until(Instant end);
  Node& any() { return *nodes_[world_.random().below(nodes_.size())]; }
  void kill(Node& node);
  void evict(Node& node);
  void come_back(Node& node, Duration after);

  World world_;
  Laws laws_;
  Cluster cluster_;
  MailHosts hosts_;
  Dns dns_;
  ControlData control_;
  Settings settings_;
  Customer customer_;
  Operator operator_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::uint64_t steps_ = 0;
  std::uint64_t deaths_ = 0;
  bool absent_ = false;  // nobody is to start a node
};

log::PartitionId some_partitions(World& world) {
  return static_cast<log::PartitionId>(1 + world.random().below(3));
}

Simulation::Simulation(const Options& options)
    : world_(options.seed, options.say),
      laws_(world_),
      cluster_{world_,
               Brokers(world_, some_partitions(world_), options.mutant),
               {},
               laws_,
               options.mutant},
      hosts_(world_, laws_),
      dns_(world_),
      control_(world_, cluster_.brokers.partitions(log::Topic::kOutbound)),
      settings_{control_, kAge, world_.chance(50) ? kDrainWait : kDrainSoon, options.tls_ca_file,
                world_.chance(10) ? options.directory : std::filesystem::path()},
      customer_(cluster_, kAge),
      operator_(cluster_, customer_.log()) {
  repeat_system_random(options.seed);
  laws_.watch(cluster_.brokers);
  for (const char* name : {"router", "sender"}) {
    cluster_.groups.try_emplace(name, world_, name,
                                cluster_.brokers.partitions(log::Topic::kOutbound));
  }
  const std::uint64_t nodes = 1 + world_.random().below(3);
  for (std::uint64_t i = 0; i < nodes; ++i) {
    nodes_.push_back(
        std::make_unique<Node>(cluster_, hosts_, dns_, settings_, fmt::format("n{}", i)));
  }
}

void Simulation::plan() {
  for (const auto& node : nodes_) {
    world_.after(world_.between(0ms, 2s), [at = node.get()] { at->start(); });
  }
  const std::uint64_t messages = 2 + world_.random().below(14);
  for (std::uint64_t i = 0; i < messages; ++i) customer_.send(world_.chance(50) ? 10s : kTrouble);
  const std::uint64_t faults = world_.random().below(8);
  for (std::uint64_t i = 0; i < faults; ++i) {
    world_.after(world_.between(1s, kTrouble), [this] { plan_fault(); });
  }
  const std::uint64_t changes = world_.chance(60) ? 1 + world_.random().below(4) : 0;
  for (std::uint64_t i = 0; i < changes; ++i) {
    world_.after(world_.between(1s, kTrouble), [this] { plan_change(); });
  }
  if (world_.chance(15)) world_.after(world_.between(1s, kTrouble), [this] { plan_garbage(); });
  if (!settings_.directory.empty()) {
    for (int i = 0; i < 3; ++i) {
      world_.after(world_.between(5s, kTrouble), [this] { plan_poison(); });
    }
  }
  world_.after(10s, [this] { operator_.look(); });
  if (world_.chance(40)) dns_.fail(5 + static_cast<unsigned>(world_.random().below(30)));
  world_.after(kTrouble + 1s, [this] { heal(); });
  if (world_.chance(8)) world_.after(kTrouble + 2s, [this] { plan_absence(); });
  world_.after(kUntilCalm, [this] { calm_down(); });
}

void Simulation::kill(Node& node) {
  if (node.alive()) ++deaths_;
  node.kill();
}

void Simulation::come_back(Node& node, Duration after) {
  world_.after(after, [this, &node] {
    if (!node.alive() && world_.chance(15)) {
      world_.say(node.name(), "loses its disk");
      node.lose_disk();
    }
    node.start();
    node.resume();
  });
}

// An operator sees that it is gone: others get its partitions at once.
void Simulation::evict(Node& node) {
  world_.after(world_.between(10ms, 1s), [this, &node] {
    if (node.alive()) return;
    for (auto& [name, group] : cluster_.groups) group.evict(node.name());
  });
}

void Simulation::plan_fault() {
  Node& node = any();
  const Duration away = world_.chance(60) ? world_.between(100ms, 8s) : world_.between(8s, 90s);
  switch (world_.random().below(8)) {
    case 0:
      kill(node);
      if (world_.chance(30)) evict(node);
      come_back(node, away);
      break;
    case 1:
      // The brokers have decided on what it committed last, and it never hears of it.
      cluster_.brokers.when_decided("sender." + node.name() + ".", [this, &node, away] {
        kill(node);
        if (world_.chance(70)) evict(node);
        come_back(node, 5s + away);
      });
      break;
    case 2:
      // Between two of the steps that come next, wherever they are.
      node.kill_after(1 + world_.random().below(world_.chance(50) ? 60 : 1500));
      come_back(node, 10s + away);
      break;
    case 3:
      node.pause();
      world_.after(away, [&node] { node.resume(); });
      break;
    case 4:
      // A zombie: longer than its session.
      node.pause();
      world_.after(world_.between(31s, 80s), [&node] { node.resume(); });
      break;
    case 5: node.cut(away); break;
    case 6:
      node.lose_answers(1 + static_cast<unsigned>(world_.random().below(10)));
      world_.after(away, [&node] { node.lose_answers(0); });
      break;
    default:
      node.finish(world_.chance(50));
      come_back(node, 3s + away);
      break;
  }
}

// Often a node dies while mail is on its way to other partitions.
void Simulation::plan_change() {
  const Instant effective = control_.change();
  if (!world_.chance(60)) return;
  world_.after(effective - world_.now() + world_.between(0ms, 1500ms), [this] {
    Node& node = any();
    if (world_.chance(50)) {
      node.kill_after(1 + world_.random().below(400));
    } else {
      cluster_.brokers.when_decided("sender." + node.name() + ".", [this, &node] { kill(node); });
    }
    if (world_.chance(50)) evict(node);
    come_back(node, world_.between(1s, 20s));
  });
}

void Simulation::plan_garbage() {
  constexpr std::array kTopics{log::Topic::kAccepted, log::Topic::kAcceptedUrgent,
                               log::Topic::kOutbound, log::Topic::kOutboundUrgent};
  constexpr std::array<std::string_view, 3> kOctets{"no record", "", "\x08\x63 of a later version"};
  const log::Topic topic = kTopics[world_.random().below(kTopics.size())];
  const log::TopicPartition where{
      topic,
      static_cast<log::PartitionId>(world_.random().below(cluster_.brokers.partitions(topic)))};
  const std::string_view octets = kOctets[world_.random().below(kOctets.size())];
  const log::Offset at = cluster_.brokers.append(where, "garbage", Rope(Bytes::copy_of(octets)));
  laws_.garbage({where, at});
  world_.say("world",
             fmt::format("garbage at {}/{}/{}", log::topic_name(topic), where.partition, at));
}

// A node dies with a delivery in hand, perhaps until it takes it no more.
void Simulation::plan_poison() {
  const log::Topic topic = world_.chance(30) ? log::Topic::kOutboundUrgent : log::Topic::kOutbound;
  const log::TopicPartition where{
      topic,
      static_cast<log::PartitionId>(world_.random().below(cluster_.brokers.partitions(topic)))};
  const std::vector<log::Record> records = cluster_.brokers.records(where);
  if (records.empty()) return;
  const log::Record& record = records[world_.random().below(records.size())];
  const auto delivery = record::decode_delivery(record.value);
  if (!delivery) return;
  for (const v1::Recipient& recipient : delivery->envelope.recipients()) {
    laws_.poisoned(recipient.address());
  }
  constexpr std::array kSteps{poison::Step::kDecode, poison::Step::kContent,
                              poison::Step::kTransaction};
  const poison::Work work{{where, record.offset}, kSteps[world_.random().below(kSteps.size())]};
  for (const auto& node : nodes_) {
    if (!world_.chance(70)) continue;
    node->die_of(work, 1 + world_.random().below(4));
    come_back(*node, world_.between(1s, 10s));
  }
}

// All nodes go, and come back when tombstones are gone.
void Simulation::plan_absence() {
  absent_ = true;
  for (const auto& node : nodes_) kill(*node);
  world_.after(20s, [this] {
    absent_ = false;
    world_.say("world", "eight days pass");
    world_.jump(kAbsence);
    cluster_.brokers.compact();
    for (const auto& node : nodes_) {
      world_.after(world_.between(0ms, 5s), [at = node.get()] { at->start(); });
    }
  });
}

void Simulation::heal() {
  world_.say("world", "faults end");
  for (const auto& node : nodes_) {
    node->resume();
    node->lose_answers(0);
    node->kill_after(0);
  }
  customer_.heal();
  keep_up();
}

// From now on somebody looks after the nodes: one that is not there is started.
void Simulation::keep_up() {
  for (const auto& node : nodes_) {
    if (!absent_) node->start();
  }
  world_.after(10s, [this] { keep_up(); });
}

void Simulation::calm_down() {
  world_.say("world", "hosts and DNS are kind");
  hosts_.calm();
  dns_.fail(0);
  control_.calm();
}

// One thing happens: what is scheduled, or else a step of somebody's, whoever it is.
bool Simulation::step() {
  CHECK(++steps_ < kStepsMax, "the world does not come to rest");
  if (world_.happen()) return true;
  constexpr std::size_t kOthers = 2;
  const std::size_t count = nodes_.size() + kOthers;
  const std::size_t first = world_.random().below(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t who = (first + i) % count;
    if (who == 0) {
      if (hosts_.step()) return true;
    } else if (who == 1) {
      if (customer_.process().step()) return true;
    } else if (nodes_[who - kOthers]->step()) {
      hosts_.wake();
      return true;
    }
  }
  return false;
}

void Simulation::run_until(Instant end) {
  while (world_.now() < end && laws_.broken().empty()) {
    if (step()) continue;
    Instant next = std::min({world_.next(), hosts_.next(), customer_.process().next(), end});
    for (const auto& node : nodes_) next = std::min(next, node->next());
    world_.jump(std::max<Duration>(next - world_.now(), Duration::zero()));
    hosts_.wake_if_due();
    customer_.process().wake_if_due();
    for (const auto& node : nodes_) node->wake_if_due();
  }
}

Outcome Simulation::run() {
  Disk disk;
  Process judge(cluster_, "judge", 0, disk);
  SimulatedLog log(judge);
  plan();
  run_until(world_.now() + kTrouble + 30s);
  // An absence may have put the clock forward.
  const Instant patience = world_.now() + kPatience;
  const auto over = [&] {
    return laws_.all_ended(log) ||
           (world_.clock().now() > laws_.last_expiry() + kPatience && world_.now() > patience);
  };
  while (!over() && laws_.broken().empty()) run_until(world_.now() + 10s);
  run_until(world_.now() + kAfterwards);
  if (laws_.broken().empty()) laws_.judge(log);
  return {laws_.broken(), laws_.counts(), steps_, deaths_, world_.elapsed()};
}

}  // namespace

Outcome simulate(const Options& options) {
  Options mine = options;
  mine.directory /= fmt::format("{}-{}", ::getpid(), options.seed);
  std::filesystem::create_directory(mine.directory);
  // Never destroyed: see simulation.h.
  auto* const simulation = new Simulation(mine);
  Outcome outcome = simulation->run();
  std::error_code ignored;
  std::filesystem::remove_all(mine.directory, ignored);
  return outcome;
}

}  // namespace godwit::simulation
