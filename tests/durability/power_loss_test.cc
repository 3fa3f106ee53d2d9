// Takes the power away, again and again, from a whole Godwit with mail under way, and audits afterwards.
//
// Customers send mail over SMTP to the ingress role; router and sender roles carry it over the embedded log to a
// destination that keeps a ledger. A tenth of the recipients is deferred first, some are refused, some are
// deferred for good, one domain is slow, so that its mail is set aside, and some mail is scheduled. At a random
// moment the disk stops; of the 4 KiB pages that were not synced, of segments and of RocksDB's files alike, each
// is kept or lost by itself; the log is opened again, and everything goes on.
//
// GODWIT_SEED chooses the first seed, GODWIT_SEEDS how many.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/observe/log.h"
#include "common/store/fake_file_system.h"
#include "tests/durability/customer.h"
#include "tests/durability/destination.h"
#include "tests/durability/pipeline.h"
#include "tests/durability/power_cut.h"
#include "tests/durability/reckoning.h"

namespace godwit::durability {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr int kCustomers = 3;
constexpr seconds kPatience{60};
// As many as there are segment files at most, and no fewer than this: the log has gone around.
constexpr std::uint64_t kRecyclingsMin = 10;
constexpr std::uint64_t kMessagesOfLastLife = 100;

bool comes(const std::function<bool()>& so) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!so()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

struct Story {
  std::vector<std::string> complaints;
  int cuts = 0;
  std::size_t acknowledged = 0;  // recipients
  std::uint64_t messages = 0;
  std::uint64_t scheduled = 0;
  std::uint64_t throttled = 0;
  std::size_t deferred = 0;  // answers of the destination
  std::size_t copies = 0;    // that are allowed
  std::uint64_t recycled = 0;
  std::uint64_t files = 0;
  audit::Report report;

  void complain(std::vector<std::string> more) {
    for (std::string& text : more) complaints.push_back(std::move(text));
  }
};

// The same machine, life after life.
class Machine {
 public:
  explicit Machine(std::uint64_t seed) : random_(seed * 7919 + 1), files_(seed) {}

  Story run(int cuts, bool ignore_syncs) {
    for (int life = 0; life <= cuts && story_.complaints.empty(); ++life) {
      clock_.advance(hours(1));
      live(life, /*last=*/life == cuts);
      files_.before_sync(nullptr);
      files_.lose_power();
      // Not the files of a log that was never made: what is lost is to be mail.
      files_.ignore_syncs(ignore_syncs);
    }
    Copies copies = count_copies(destination_.taken(), ended_before_);
    story_.complain(std::move(copies.complaints));
    story_.copies = copies.allowed;
    story_.acknowledged = promises_.all().size();
    story_.messages = promises_.messages_total();
    story_.scheduled = promises_.scheduled_total();
    story_.deferred = destination_.deferred_total();
    story_.report = before_.report;
    return std::move(story_);
  }

 private:
  void live(int life, bool last) {
    PowerCut power(files_);
    files_.before_sync([&](const std::string&) { power.reached(PowerCut::Moment::kSync); });
    // Now and then the power goes again while the log recovers, or just after.
    const bool early = !last && life > 0 && random_.below(4) == 0;
    if (early) power.arm(PowerCut::Moment::kSync, 1 + random_.below(8));
    auto peer = destination_.open(power);
    ended_before_.push_back(names_of(before_.ended));
    auto opened = Pipeline::open(files_, clock_);
    if (!opened) {
      if (!power.gone()) story_.complain({"the log does not open: " + opened.error().to_string()});
      return;
    }
    const auto pipeline = *std::move(opened);
    Reckoning found = reckon(pipeline->log(), promises_.all(), destination_, before_);
    if (power.gone()) return;
    story_.complain(found.complaints);
    if (!story_.complaints.empty()) return;
    before_ = std::move(found);
    ended_before_.back() = names_of(before_.ended);

    if (const auto started = pipeline->start(peer->port()); !started) {
      if (!power.gone()) story_.complain({"start: " + started.error().to_string()});
      return;
    }
    if (!last && !early) arm(power);
    const std::uint64_t messages_until = promises_.messages_total() + kMessagesOfLastLife;
    serve(*pipeline, power, life, [&] {
      return last && promises_.messages_total() >= messages_until && went_around(*pipeline);
    });
    story_.cuts += power.gone() ? 1 : 0;
    story_.throttled += pipeline->throttled_total();
    story_.recycled += pipeline->counters().segments_recycled_total;
    story_.files = std::max(story_.files, files_of(*pipeline));
    // The retries of mail nobody takes may need more files yet: the log has gone around by now.
    if (last) finish(*pipeline);
  }

  void arm(PowerCut& power) {
    switch (random_.below(3)) {
      case 0: return power.arm(PowerCut::Moment::kSync, 5 + random_.below(600));
      case 1: return power.arm(PowerCut::Moment::kFinalDot, 1 + random_.below(400));
      default: return power.arm(PowerCut::Moment::kAcknowledgement, 1 + random_.below(400));
    }
  }

  void serve(Pipeline& pipeline, PowerCut& power, int life, const std::function<bool()>& enough) {
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

  // Lets everything end, and reckons for the last time.
  void finish(Pipeline& pipeline) {
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

  [[nodiscard]] static std::uint64_t files_of(const Pipeline& pipeline) {
    return pipeline.counters().segments_live + pipeline.counters().segments_free;
  }
  [[nodiscard]] bool went_around(const Pipeline& pipeline) const {
    return story_.recycled + pipeline.counters().segments_recycled_total >=
           std::max({kRecyclingsMin, story_.files, files_of(pipeline)});
  }
  [[nodiscard]] static std::set<std::string> names_of(
      const std::map<std::string, v1::EventType>& ended) {
    std::set<std::string> names;
    for (const auto& [name, type] : ended) names.insert(name);
    return names;
  }

  SeededRandom random_;
  store::FakeFileSystem files_;
  WorldClock clock_;
  Destination destination_;
  Promises promises_;
  Reckoning before_;
  std::vector<std::set<std::string>> ended_before_;
  Story story_;
};

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* given = std::getenv(variable);
  return given != nullptr ? std::strtoull(given, nullptr, 10) : otherwise;
}

class WholePipeline : public testing::Test {
 protected:
  observe::LogCapture quiet_{[](std::string_view) {}, observe::Level::kInfo};
};

TEST_F(WholePipeline, NobodyAcknowledgedIsLostOrWronglyEndedWhenThePowerGoes) {
  const std::uint64_t first = number_from("GODWIT_SEED", 1);
  for (std::uint64_t seed = first; seed < first + number_from("GODWIT_SEEDS", 1); ++seed) {
    const Story story = Machine(seed).run(/*cuts=*/6, /*ignore_syncs=*/false);
    for (const std::string& complaint : story.complaints) {
      ADD_FAILURE() << "seed " << seed << " (GODWIT_SEED): " << complaint;
    }
    std::printf(
        "power loss, seed %llu: %d cuts, %llu messages to %zu recipients acknowledged (%llu "
        "messages "
        "scheduled), %zu answers 4xx, %llu deliveries throttled; delivered %llu, bounced %llu, "
        "expired %llu, "
        "missing %llu, doubled %llu; %zu second copies; %llu segments recycled of %llu files\n",
        static_cast<unsigned long long>(seed), story.cuts,
        static_cast<unsigned long long>(story.messages), story.acknowledged,
        static_cast<unsigned long long>(story.scheduled), story.deferred,
        static_cast<unsigned long long>(story.throttled),
        static_cast<unsigned long long>(story.report.delivered),
        static_cast<unsigned long long>(story.report.bounced),
        static_cast<unsigned long long>(story.report.expired),
        static_cast<unsigned long long>(story.report.missing),
        static_cast<unsigned long long>(story.report.doubled), story.copies,
        static_cast<unsigned long long>(story.recycled),
        static_cast<unsigned long long>(story.files));
    if (HasFailure()) break;
    // The story has everything in it that it is about.
    EXPECT_GE(story.cuts, 4) << "seed " << seed;
    EXPECT_GE(story.recycled, std::max(kRecyclingsMin, story.files)) << "seed " << seed;
    EXPECT_GT(story.scheduled, 0U) << "seed " << seed;
    EXPECT_GT(story.throttled, 0U) << "seed " << seed;
    EXPECT_GT(story.report.bounced, 0U) << "seed " << seed;
    EXPECT_GT(story.report.expired, 0U) << "seed " << seed;
    EXPECT_GE(story.deferred * 10, story.acknowledged) << "seed " << seed;
  }
}

TEST_F(WholePipeline, WithoutTheSyncTheSameTestFails) {
  const std::uint64_t first = number_from("GODWIT_SEED", 1);
  for (std::uint64_t seed = first; seed < first + 3; ++seed) {
    const Story story = Machine(seed).run(/*cuts=*/3, /*ignore_syncs=*/true);
    EXPECT_GT(story.acknowledged, 0U);
    EXPECT_FALSE(story.complaints.empty()) << "seed " << seed << ": a disk that never syncs passed";
    if (!story.complaints.empty())
      std::printf("without sync, seed %llu: %s\n", static_cast<unsigned long long>(seed),
                  story.complaints.front().c_str());
  }
}

}  // namespace
}  // namespace godwit::durability
