#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/audit/report.h"
#include "common/base/random.h"
#include "common/store/fake_file_system.h"
#include "tests/durability/customer.h"
#include "tests/durability/destination.h"
#include "tests/durability/pipeline.h"
#include "tests/durability/power_cut.h"
#include "tests/durability/reckoning.h"
#include "tests/durability/recycling.h"

namespace godwit::durability {

inline constexpr std::uint64_t kRecyclingsMin = 3;  // of each segment file

// What happened to a machine, and how the law was broken.
struct Story {
  std::vector<std::string> complaints;
  int cuts = 0;
  bool opened = false;           // the log did, after the last cut
  std::size_t lost = 0;          // recipients who were acknowledged and are not there
  std::size_t acknowledged = 0;  // recipients
  Promises::Messages messages;
  std::uint64_t throttled = 0;
  std::size_t deferred = 0;                       // answers of the destination
  std::size_t copies = 0;                         // that are allowed
  std::map<std::string, std::uint64_t> recycled;  // by segment file
  audit::Report report;

  void complain(std::vector<std::string> more) {
    for (std::string& text : more) complaints.push_back(std::move(text));
  }
};

// A disk that does not keep what it promised.
struct BadDisk {
  std::string_view name;
  store::FakeFileSystem::SyncLie lie;
  store::FakeFileSystem::Loss loss = store::FakeFileSystem::Loss::kPages;
  // The lie begins so many acknowledgements before the power goes; nullopt: with the first mail.
  std::optional<std::int64_t> begins;
};

// One machine with its disk, life after life. The seed decides when the power goes and which pages are lost.
class Machine {
 public:
  explicit Machine(std::uint64_t seed)
      : random_(seed * 7919 + 1), files_(seed), recycling_(files_) {}

  // So many lives that end with the power, and one more, in which all segments are used often enough and
  // everybody ends.
  [[nodiscard]] Story run(int cuts);
  // One life with such a disk, and what the next one finds.
  [[nodiscard]] Story run(const BadDisk& disk);

 private:
  // A life: from opening the log to the end of the power. False: it ended otherwise.
  bool live(int life, bool last);
  // Opens the log and reckons. nullptr: the power went, or there is something to complain about.
  [[nodiscard]] std::unique_ptr<Pipeline> open(const PowerCut& power);
  void arm(PowerCut& power);
  void serve(Pipeline& pipeline, PowerCut& power, int life, const std::function<bool()>& enough);
  // Lets everything end, and reckons for the last time.
  void finish(Pipeline& pipeline);
  [[nodiscard]] Story tell();
  void watch_syncs(PowerCut& power);

  SeededRandom random_;
  store::FakeFileSystem files_;
  Recycling recycling_;
  WorldClock clock_;
  Destination destination_;
  Promises promises_;
  Reckoning before_;
  std::vector<std::set<std::string>> ended_before_;  // by life
  Story story_;
};

}  // namespace godwit::durability
