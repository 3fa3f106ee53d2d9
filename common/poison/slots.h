#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/log/types.h"

// Finds the record that kills the process, so that it kills it three times and not for ever.
namespace godwit::poison {

inline constexpr std::uint32_t kCrashesMax = 3;   // then a record is not taken in hand again
inline constexpr std::size_t kSuspectsMax = 256;  // remembered; the oldest is forgotten first
inline constexpr std::string_view kFileName = "poison";

// What is done to a record's octets. The numbers are on disk: never renumber.
enum class Step : std::uint32_t {
  kDecode = 1,
  kSplit = 2,        // a message into its deliveries
  kContent = 3,      // decoding what a delivery refers to; the record is the delivery's
  kTransaction = 4,  // a delivery into SMTP commands
  kSalvage = 5,      // looking for the content of a record that goes to `dead`
};
[[nodiscard]] std::string_view step_name(Step step);

// One step on one record. A row of a table has no offset: its user takes a hash of the key.
struct Work {
  log::RecordPosition record;
  Step step{};
  auto operator<=>(const Work&) const = default;
};

// Work that was in hand when the process died.
struct Suspect {
  Work work;
  std::uint32_t crashes = 0;
};

// Why a record is not taken in hand: "decode: in hand at 3 crashes".
[[nodiscard]] Error refusal(Step step);

// The place in the file where one thread says what it has in hand. Made by Slots.
class Slot {
 public:
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  // How often the process died with it in hand. Nearly always one load and a comparison.
  [[nodiscard]] std::uint32_t crashes(const Work& work) const {
    return suspects_.empty() ? 0 : remembered(work);
  }
  // It has killed often enough: refusal() and `dead` instead of the step.
  [[nodiscard]] bool refuses(const Work& work) const { return crashes(work) >= kCrashesMax; }

 private:
  friend class InHand;
  friend class Slots;
  struct Cell;  // as on disk
  Slot(Cell& cell, const std::vector<Suspect>& suspects, std::mutex& turn,
       const std::optional<Work>& kill_at)
      : cell_(cell), suspects_(suspects), turn_(turn), kill_at_(kill_at) {}
  [[nodiscard]] std::uint32_t remembered(const Work& work) const;

  Cell& cell_;
  const std::vector<Suspect>& suspects_;
  std::mutex& turn_;
  const std::optional<Work>& kill_at_;
};

// For as long as it lives the slot says that this work is in hand. Costs a few plain stores, no system call.
// A suspect waits until no other suspect is in hand: so a record that only was in hand beside the one that
// kills is not counted with it a second time.
//
// Scope     a step on the CPU, without co_await: one at a time in a slot (CHECKed)
class InHand {
 public:
  InHand(Slot& slot, const Work& work);
  ~InHand();
  InHand(const InHand&) = delete;
  InHand& operator=(const InHand&) = delete;

 private:
  Slot& slot_;
  std::unique_lock<std::mutex> turn_;
};

// The slots of a process in a file that outlives it (docs/formats/poison.md).
//
// Start      slots that are still set count one crash each; counts and free slots go into a new file that takes
//            the old one's name. A crash before that leaves the old file, a crash after it the new one: nothing
//            is lost or counted twice
// Errors     never fails: what cannot be read, of another format or damaged, starts without memory; without a
//            file that can be written the slots are in memory only. problem() says so
// Durability the death of the process loses nothing. The machine's may forget a count: slots are not synced
// Limits     kSuspectsMax suspects; slots as many as asked for, kSlotsMax at most
// Threads    a slot belongs to one thread at a time; the rest may be called from any. One process a file
class Slots {
 public:
  static constexpr std::size_t kSlotsMax = 4096;

  // In memory, for tests: counts nothing.
  explicit Slots(std::size_t slots);
  // Blocks for the length of a small synced write.
  Slots(const std::filesystem::path& file, std::size_t slots);
  ~Slots();
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;

  [[nodiscard]] std::size_t size() const { return slots_.size(); }
  [[nodiscard]] Slot& at(std::size_t index) { return *slots_.at(index); }

  // All that are remembered, the oldest first.
  [[nodiscard]] std::span<const Suspect> suspects() const { return suspects_; }
  // What this start has counted.
  [[nodiscard]] std::span<const Suspect> counted() const { return counted_; }
  // What is wrong with the file, for people; empty: nothing.
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  class Mapping;
  void make_slots(std::size_t count);

  std::vector<Suspect> suspects_;
  std::vector<Suspect> counted_;
  std::string problem_;
  std::mutex turn_;
  std::optional<Work> kill_at_;  // builds with GODWIT_TEST_HOOKS only
  std::unique_ptr<Mapping> mapping_;
  std::vector<std::unique_ptr<Slot>> slots_;
};

}  // namespace godwit::poison
