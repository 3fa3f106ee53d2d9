#include "tests/durability/machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>

namespace godwit::durability {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr int kCustomers = 3;
constexpr seconds kPatience{60};
constexpr std::uint64_t kMessagesOfLastLife = 100;
constexpr seconds kRecyclingPatience{180};

bool comes(const std::function<bool()>& so) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!so()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

std::set<std::string> names_of(const std::map<std::string, v1::EventType>& ended) {
  std::set<std::string> names;
  for (const auto& [name, type] : ended) names.insert(name);
  return names;
}

}  // namespace

Story Machine::run(int cuts) {
  for (int life = 0; life <= cuts && story_.complaints.empty(); ++life) {
    clock_.advance(hours(1));
    story_.cuts += live(life, /*last=*/life == cuts) ? 1 : 0;
    files_.before_sync(nullptr);
    files_.lose_power();
  }
  return tell();
}

Story Machine::run(const BadDisk& disk) {
  {
    PowerCut power(files_);
    watch_syncs(power);
    auto peer = destination_.open(power);
    ended_before_.emplace_back();
    const auto pipeline = open(power);
    if (!pipeline) return tell();
    // The files of the log were made in earnest: what is lost is to be mail.
    const auto lie = [this, &disk] { files_.lie_about_syncs(disk.lie); };
    if (disk.begins) {
      power.shortly_before(*disk.begins, lie);
    } else {
      lie();
    }
    if (const auto started = pipeline->start(peer->port()); !started) {
      story_.complain({"start: " + started.error().to_string()});
      return tell();
    }
    power.arm(PowerCut::Moment::kAcknowledgement, 100 + random_.below(150));
    serve(*pipeline, power, /*life=*/0, [] { return false; });
    ++story_.cuts;
  }
  files_.before_sync(nullptr);
  files_.lose_power(disk.loss);
  files_.lie_about_syncs(std::nullopt);
  if (!story_.complaints.empty()) return tell();
  PowerCut none(files_);
  (void)destination_.open(none);
  ended_before_.emplace_back();
  story_.opened = open(none) != nullptr || story_.opened;
  return tell();
}

Story Machine::tell() {
  Copies copies = count_copies(destination_.taken(), ended_before_);
  story_.complain(std::move(copies.complaints));
  story_.copies = copies.allowed;
  story_.acknowledged = promises_.all().size();
  story_.messages = promises_.messages();
  story_.deferred = destination_.deferred_total();
  story_.report = before_.report;
  return std::move(story_);
}

void Machine::watch_syncs(PowerCut& power) {
  files_.before_sync([&](const std::string& path) {
    power.reached(PowerCut::Moment::kSync);
    if (!power.gone()) recycling_.syncing(path);
  });
}

std::unique_ptr<Pipeline> Machine::open(const PowerCut& power) {
  story_.opened = false;
  auto opened = Pipeline::open(files_, clock_);
  if (!opened) {
    if (!power.gone()) story_.complain({"the log does not open: " + opened.error().to_string()});
    return nullptr;
  }
  story_.opened = true;
  Reckoning found = reckon((*opened)->log(), promises_.all(), destination_, before_);
  if (power.gone()) return nullptr;
  story_.lost = found.lost;
  story_.complain(found.complaints);
  if (!story_.complaints.empty()) return nullptr;
  before_ = std::move(found);
  ended_before_.back() = names_of(before_.ended);
  return *std::move(opened);
}

bool Machine::live(int life, bool last) {
  PowerCut power(files_);
  watch_syncs(power);
  // Now and then the power goes again while the log recovers, or just after.
  const bool early = !last && life > 0 && random_.below(4) == 0;
  if (early) power.arm(PowerCut::Moment::kSync, 1 + random_.below(8));
  auto peer = destination_.open(power);
  ended_before_.push_back(names_of(before_.ended));
  const auto pipeline = open(power);
  if (!pipeline) return power.gone();
  if (const auto started = pipeline->start(peer->port()); !started) {
    if (!power.gone()) story_.complain({"start: " + started.error().to_string()});
    return power.gone();
  }
  if (!last && !early) arm(power);
  const std::uint64_t messages_until = promises_.messages().total + kMessagesOfLastLife;
  const auto patience_end = std::chrono::steady_clock::now() + kRecyclingPatience;
  serve(*pipeline, power, life, [&] {
    if (!last) return false;
    return std::chrono::steady_clock::now() > patience_end ||
           (promises_.messages().total >= messages_until && recycling_.least() >= kRecyclingsMin);
  });
  story_.throttled += pipeline->throttled_total();
  // The retries of mail nobody takes may need more files yet: the log has gone around by now.
  story_.recycled = recycling_.by_file();
  if (last) finish(*pipeline);
  return power.gone();
}

void Machine::arm(PowerCut& power) {
  switch (random_.below(3)) {
    case 0: return power.arm(PowerCut::Moment::kSync, 5 + random_.below(600));
    case 1: return power.arm(PowerCut::Moment::kFinalDot, 1 + random_.below(400));
    default: return power.arm(PowerCut::Moment::kAcknowledgement, 1 + random_.below(400));
  }
}

void Machine::serve(Pipeline& pipeline, PowerCut& power, int life,
                    const std::function<bool()>& enough) {
  std::atomic<std::int64_t> prompt = 0;
  std::vector<std::unique_ptr<Customer>> customers;
  std::vector<std::thread> threads;
  for (int i = 0; i < kCustomers; ++i) {
    customers.push_back(std::make_unique<Customer>(
        Customer::World{pipeline, promises_, destination_, power, clock_, prompt},
        std::to_string(life) + "." + std::to_string(i), random_.next()));
  }
  for (const auto& customer : customers) {
    threads.emplace_back([&customer, &enough] { customer->run(enough); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& customer : customers) story_.complain(customer->complaints());
}

void Machine::finish(Pipeline& pipeline) {
  if (!story_.complaints.empty()) return;
  pipeline.lift_limits();
  clock_.advance(hours(4));  // whatever is scheduled is due
  const auto accepted = reckon(pipeline.log(), {}, destination_, {}).accepted;
  const auto only_never_left = [&] {
    const auto ended = ended_now(pipeline.log());
    return std::ranges::all_of(accepted, [&](const std::string& address) {
      return fate_of(address) == Fate::kNever || ended.contains(address);
    });
  };
  if (!comes(only_never_left)) story_.complain({"mail is left that could have ended"});
  clock_.advance(kAge);
  if (!comes([&] { return pipeline.idle(); })) story_.complain({"mail is left after its age"});
  Reckoning found = reckon(pipeline.log(), promises_.all(), destination_, before_);
  story_.complain(found.complaints);
  for (const std::string& address : found.accepted) {
    if (!found.ended.contains(address)) story_.complain({address + " has not ended"});
  }
  before_ = std::move(found);
}

}  // namespace godwit::durability
