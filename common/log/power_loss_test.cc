// Takes the power away, again and again, from a log with everything under way, and counts afterwards.
//
// A small mail system runs on the log: two threads accept messages, a router turns each into an outbound record
// that refers to the accepted one, a sender reads the content by that reference and either delivers (an event)
// or parks it (a row of `retries`, a tombstone and an event later). At a random sync the disk stops; what was
// not synced is kept or lost page by page; the log is opened again. The law: every acknowledged message is in
// exactly one place - unread in accepted, unread in outbound, parked, or delivered - and no other is in two.

#include <gtest/gtest.h>

#include <atomic>
#include <charconv>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "common/base/crc32c.h"
#include "common/base/manual_clock.h"
#include "common/log/embedded.h"
#include "common/log/log_test_support.h"
#include "common/store/fake_file_system.h"

namespace godwit::log {
namespace {

constexpr PartitionId kPartitions = 3;

struct Ledger {
  std::mutex mutex;
  std::set<std::string> acknowledged;
  std::set<std::string> delivered;  // events whose commit was acknowledged
  std::vector<std::string> complaints;

  void complain(std::string text) {
    const std::lock_guard lock(mutex);
    complaints.push_back(std::move(text));
  }
  void add(std::set<std::string>& set, const std::string& id) {
    const std::lock_guard lock(mutex);
    set.insert(id);
  }
};

GroupSpec spec_of(const char* name, Topic topic) {
  GroupSpec spec{.name = name, .subscribed = topic};
  if (topic == Topic::kOutbound) {
    spec.tables = {Topic::kRetries};
    spec.indexer = index_by_value;
  }
  return spec;
}

std::string content_of(const std::string& id, std::uint64_t size) {
  std::string content = id + " ";
  while (content.size() < size) content += "all work and no play makes a dull mail server. ";
  return content;
}

// One life of the system, from opening the log to the end of the power (or to everything being delivered).
class Life {
 public:
  Life(Log& log, Ledger& ledger, std::uint64_t seed) : log_(log), ledger_(ledger), seed_(seed) {}

  void run(int number, int messages_each, const std::function<bool()>& ended) {
    std::vector<std::thread> threads;
    std::atomic<int> accepting = 2;
    std::atomic<int> routing = 1;
    for (int t = 0; t < 2; ++t) {
      threads.emplace_back([&, t] {
        accept(fmt_id(number, t), messages_each, ended);
        --accepting;
      });
    }
    threads.emplace_back([&] {
      work("router", Topic::kAccepted, &Life::route, ended, accepting);
      --routing;
    });
    threads.emplace_back([&] { work("sender", Topic::kOutbound, &Life::send, ended, routing); });
    for (std::thread& thread : threads) thread.join();
  }

 private:
  static std::string fmt_id(int life, int thread) {
    return "m" + std::to_string(life) + "." + std::to_string(thread) + ".";
  }

  void accept(const std::string& prefix, int messages, const std::function<bool()>& ended) {
    SeededRandom random(seed_ ^ crc32c(prefix));
    const auto producer = log_.producer();
    for (int i = 0; i < messages; ++i) {
      // As fast as the sender ends them: segments are to be freed while all this goes on.
      while (accepted_ > ended_ + kUnderWayMax && !ended()) std::this_thread::yield();
      const std::string id = prefix + std::to_string(i);
      const auto partition = static_cast<PartitionId>(random.below(kPartitions));
      const auto written = append_now(
          *producer,
          {append_of({Topic::kAccepted, partition}, id, content_of(id, 200 + random.below(3000)))});
      if (written) {
        ledger_.add(ledger_.acknowledged, id);
        ++accepted_;
      } else if (written.error().code != Errc::kNoSpace) {
        return;
      }
    }
  }

  using Step = bool (Life::*)(Ownership&, Batch&, std::set<std::string>&, SeededRandom&);
  // Runs the step over the partitions until nothing is left and nobody feeds them, or the log fails.
  void work(const char* name, Topic topic, Step step, const std::function<bool()>& ended,
            const std::atomic<int>& feeding) {
    auto listener = std::make_shared<RecordingListener>();
    auto group = log_.join(spec_of(name, topic), listener);
    if (!group) return;
    auto owned = listener->wait_for(kPartitions, ended);
    SeededRandom random(seed_ ^ crc32c(name));
    bool idle = false;
    while (owned.size() == kPartitions && !ended()) {
      const bool last_round = feeding == 0;  // whatever comes was there before this round
      if (last_round && idle) break;
      idle = true;
      for (auto& [partition, ownership] : owned) {
        Batch batch;
        std::set<std::string> delivered;
        if (!(this->*step)(*ownership, batch, delivered, random)) goto over;
        if (batch.empty()) continue;
        idle = false;
        const auto written = commit_now(*ownership, std::move(batch));
        if (!written) goto over;
        for (const std::string& id : delivered) ledger_.add(ledger_.delivered, id);
      }
      if (idle) std::this_thread::yield();
    }
  over:
    owned.clear();
    (*group)->stop(std::chrono::seconds(1));
    listener->forget();
  }

  bool route(Ownership& mine, Batch& batch, std::set<std::string>&, SeededRandom& random) {
    auto records = mine.reader(Topic::kAccepted).take(1 + random.below(32), 1 << 20);
    if (!records) return failed("take", records.error());
    for (const Record& record : *records) {
      const auto to = static_cast<PartitionId>(crc32c(record.key) % kPartitions);
      const std::string content = record.value.to_string();
      Append append =
          append_of({Topic::kOutbound, to}, record.key,
                    std::to_string(mine.partition()) + " " + std::to_string(record.offset) + " " +
                        std::to_string(crc32c(content)));
      append.refers_to = RecordPosition{{Topic::kAccepted, mine.partition()}, record.offset};
      batch.appends.push_back(std::move(append));
      batch.positions = {{{Topic::kAccepted, mine.partition()}, record.offset + 1}};
    }
    return true;
  }

  bool send(Ownership& mine, Batch& batch, std::set<std::string>& delivered, SeededRandom& random) {
    auto records = mine.reader(Topic::kOutbound).take(1 + random.below(32), 1 << 20);
    if (!records) return failed("take", records.error());
    const TopicPartition table{Topic::kRetries, mine.partition()};
    const auto deliver = [&](const std::string& id) {
      batch.appends.push_back(append_of({Topic::kEvents, mine.partition()}, id, "delivered"));
      delivered.insert(id);
    };
    for (const Record& record : *records) {
      if (!content_is_there(record)) return false;
      if (random.below(10) == 0) {
        batch.changes.push_back(change_of(table, record.key, std::to_string(random.below(5))));
      } else {
        deliver(record.key);
      }
      ++ended_;
      batch.positions = {{{Topic::kOutbound, mine.partition()}, record.offset + 1}};
    }
    // Some of what is parked is due.
    std::vector<std::string> due;
    const auto scanned =
        mine.table(Topic::kRetries).scan_index("v0", "v3", [&](std::string_view entry) {
          due.emplace_back(entry.substr(entry.find('/') + 1));
          return due.size() < 8;
        });
    if (!scanned) return failed("scan_index", scanned.error());
    for (const std::string& id : due) {
      batch.changes.push_back(change_of(table, id, std::nullopt));
      deliver(id);
    }
    return true;
  }

  // The content is stored once: as long as the outbound record is unread its accepted record is readable.
  bool content_is_there(const Record& record) {
    const std::string text = record.value.to_string();
    unsigned partition = 0;
    long long offset = 0;
    unsigned crc = 0;
    std::sscanf(text.c_str(), "%u %lld %u", &partition, &offset, &crc);
    Awaited<Result<Record>> done;
    log_.read_at({{Topic::kAccepted, partition}, offset}, done.setter());
    const auto content = done.get();
    if (!content) return failed("the content of " + record.key, content.error());
    if (crc32c(content->value.to_string()) != crc) {
      ledger_.complain("the content of " + record.key + " is another");
      return false;
    }
    return true;
  }

  bool failed(const std::string& what, const Error& error) {
    if (error.code != Errc::kIo && error.code != Errc::kClosed) {
      ledger_.complain(what + ": " + error.to_string());
    }
    return false;
  }

  static constexpr int kUnderWayMax = 60;

  Log& log_;
  Ledger& ledger_;
  const std::uint64_t seed_;
  std::atomic<int> accepted_ = 0;
  std::atomic<int> ended_ = 0;
};

// Where every message is.
std::map<std::string, std::vector<std::string>> count(Log& log, Ledger& ledger) {
  std::map<std::string, std::vector<std::string>> places;
  const auto check = [&](const Result<void>& result) {
    if (!result) ledger.complain("history: " + result.error().to_string());
  };
  const auto unread = [&](const char* group, Topic topic) {
    check(log.history(topic, {}, [&](const HistoryRecord& record) {
      if (record.record.offset >= *log.committed(group, record.where)) {
        places[record.record.key].push_back("unread in " + std::string(topic_name(topic)));
      }
      return true;
    }));
  };
  unread("router", Topic::kAccepted);
  unread("sender", Topic::kOutbound);
  std::map<TopicPartition, Offset> next;
  check(log.history(Topic::kEvents, {}, [&](const HistoryRecord& record) {
    places[record.record.key].push_back("delivered");
    if (record.record.offset != next[record.where]++) ledger.complain("events are not in order");
    return true;
  }));
  check(log.history(Topic::kRetries, {}, [&](const HistoryRecord& record) {
    places[record.record.key].push_back("parked");
    return true;
  }));
  return places;
}

void check_law(Log& log, Ledger& ledger) {
  const auto places = count(log, ledger);
  for (const auto& [id, found] : places) {
    if (found.size() > 1) ledger.complain(id + " is in " + found[0] + " and " + found[1]);
  }
  for (const std::string& id : ledger.acknowledged) {
    if (!places.contains(id)) ledger.complain(id + " was acknowledged and is gone");
  }
  for (const std::string& id : ledger.delivered) {
    const auto found = places.find(id);
    if (found == places.end() || found->second.front() != "delivered") {
      ledger.complain(id + " was reported as delivered and is not");
    }
  }
}

void check_all_ended(Log& log, Ledger& ledger) {
  for (const auto& [id, found] : count(log, ledger)) {
    if (found.front().starts_with("unread")) ledger.complain(id + " was left " + found.front());
  }
}

struct Outcome {
  std::vector<std::string> complaints;
  std::uint64_t files = 0;
  std::uint64_t recycled = 0;
  std::size_t acknowledged = 0;
};

Outcome run_lives(std::uint64_t seed, int lives, bool ignore_syncs) {
  ManualClock clock;
  store::FakeFileSystem files(seed);
  if (ignore_syncs) files.lie_about_syncs({{.part = {}, .honest_bytes = std::nullopt}});
  SeededRandom random(seed * 7919 + 1);
  Ledger ledger;
  Outcome outcome;
  for (int life = 0; life <= lives; ++life) {
    EmbeddedConfig config;
    config.directory = "/data";
    config.partitions = kPartitions;
    config.segment_bytes = 64 * 1024;
    config.reserve_segments = 1;
    config.reserve_table_bytes = 0;
    config.tail_cache_bytes = random.below(2) == 0 ? 16 * 1024 : 1 << 20;
    config.commit_sync_delay_max = std::chrono::milliseconds(1 + random.below(5));
    config.file_system = &files;
    config.counters = std::make_shared<Counters>();
    auto log = open_embedded(config, clock);
    if (!log) {
      ledger.complain("life " + std::to_string(life) + ": " + log.error().to_string());
      break;
    }
    check_law(**log, ledger);
    if (!ledger.complaints.empty()) break;

    const bool last = life == lives;
    std::atomic<bool> ended = false;
    const std::uint64_t power_until = files.syncs() + 5 + random.below(600);
    if (!last) {
      files.before_sync([&](const std::string&) {
        if (files.syncs() >= power_until && !ended.exchange(true)) files.freeze();
      });
    }
    Life(**log, ledger, seed + static_cast<std::uint64_t>(life)).run(life, last ? 50 : 600, [&] {
      return ended.load();
    });
    if (last) {
      check_law(**log, ledger);
      check_all_ended(**log, ledger);
    }
    (*log)->close();
    outcome.recycled += config.counters->segments_recycled_total;
    outcome.files = std::max<std::uint64_t>(
        outcome.files, config.counters->segments_live + config.counters->segments_free);
    log->reset();
    files.before_sync(nullptr);
    files.lose_power();
  }
  outcome.complaints = ledger.complaints;
  outcome.acknowledged = ledger.acknowledged.size();
  return outcome;
}

std::uint64_t first_seed() {
  const char* given = std::getenv("GODWIT_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
}
int seeds(int otherwise) {
  const char* given = std::getenv("GODWIT_SEEDS");
  return given != nullptr ? std::atoi(given) : otherwise;
}

TEST(PowerLoss, NothingAcknowledgedIsLostAndNothingIsDoubled) {
  Outcome all;
  for (std::uint64_t seed = first_seed(); seed < first_seed() + static_cast<unsigned>(seeds(3));
       ++seed) {
    const Outcome outcome = run_lives(seed, /*lives=*/6, /*ignore_syncs=*/false);
    for (const std::string& complaint : outcome.complaints) {
      ADD_FAILURE() << "seed " << seed << " (GODWIT_SEED): " << complaint;
    }
    // The log went around: as many segments were used again as there are files, and many more than three.
    EXPECT_GE(outcome.recycled, std::max<std::uint64_t>(outcome.files, 30)) << "seed " << seed;
    all.recycled += outcome.recycled;
    all.acknowledged += outcome.acknowledged;
    if (!outcome.complaints.empty()) break;
  }
  std::printf("power loss: %zu messages acknowledged, %llu segments recycled\n", all.acknowledged,
              static_cast<unsigned long long>(all.recycled));
}

TEST(PowerLoss, WithoutTheSyncTheSameTestFails) {
  int failed = 0;
  for (std::uint64_t seed = first_seed(); seed < first_seed() + 4; ++seed) {
    const Outcome outcome = run_lives(seed, /*lives=*/3, /*ignore_syncs=*/true);
    EXPECT_GT(outcome.acknowledged, 0u);
    if (!outcome.complaints.empty()) ++failed;
  }
  EXPECT_EQ(failed, 4) << "a log that never syncs passed";
}

}  // namespace
}  // namespace godwit::log
