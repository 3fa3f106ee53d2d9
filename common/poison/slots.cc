#include "common/poison/slots.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/base/check.h"
#include "common/poison/errc.h"
#include "common/poison/kill_point.h"
#include "common/poison/slots_file.h"

namespace godwit::poison {

// All stores are releases: the file shows them in the order of the program, so a slot whose step is set names the
// record it was set for. On x86 each is a plain move.
struct alignas(kSlotBytes) Slot::Cell {
  std::atomic<std::uint32_t> step;  // 0: free
  std::atomic<std::uint32_t> topic;
  std::atomic<std::uint32_t> partition;
  std::uint32_t reserved;
  std::atomic<std::int64_t> offset;
};

namespace {

static_assert(std::atomic<std::uint32_t>::is_always_lock_free);
static_assert(std::atomic<std::int64_t>::is_always_lock_free);

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return number_; }
  [[nodiscard]] bool ok() const { return number_ >= 0; }

 private:
  int number_;
};

std::unexpected<Error> failed(const std::filesystem::path& file) {
  return fail(std::error_code(errno, std::generic_category()), file.string());
}

// Without the file: empty. Never more than a file of slots can have, and one octet.
Result<std::string> read(const std::filesystem::path& file) {
  const Descriptor in(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!in.ok()) {
    if (errno == ENOENT) return std::string();
    return failed(file);
  }
  std::string octets(kSlotsOffset + Slots::kSlotsMax * kSlotBytes + 1, '\0');
  std::size_t size = 0;
  while (size < octets.size()) {
    const ssize_t got = ::read(in.get(), octets.data() + size, octets.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(file);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  octets.resize(size);
  return octets;
}

// Written beside it and synced, then given its name: either the old file or the new one is there.
Result<void> replace(const std::filesystem::path& file, std::string_view octets) {
  std::filesystem::path fresh = file;
  fresh += ".new";
  {
    const Descriptor out(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
    if (!out.ok()) return failed(fresh);
    while (!octets.empty()) {
      const ssize_t put = ::write(out.get(), octets.data(), octets.size());
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return failed(fresh);
      octets.remove_prefix(static_cast<std::size_t>(put));
    }
    if (::fsync(out.get()) != 0) return failed(fresh);
  }
  if (::rename(fresh.c_str(), file.c_str()) != 0) return failed(file);
  const std::filesystem::path directory = file.has_parent_path() ? file.parent_path() : ".";
  const Descriptor folder(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.ok() || ::fsync(folder.get()) != 0) return failed(directory);
  return {};
}

}  // namespace

class Slots::Mapping {
 public:
  // Without a file: memory that nobody else sees.
  static Result<std::unique_ptr<Mapping>> of(const std::filesystem::path* file, std::size_t slots) {
    const std::size_t size = kSlotsOffset + slots * kSlotBytes;
    int number = -1;
    if (file != nullptr) {
      number = ::open(file->c_str(), O_RDWR | O_CLOEXEC);
      if (number < 0) return failed(*file);
    }
    const Descriptor descriptor(number);  // the mapping outlives it
    const int flags = file != nullptr ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, number, 0);
    if (memory == MAP_FAILED) return failed(file != nullptr ? *file : "memory");
    return std::unique_ptr<Mapping>(new Mapping(static_cast<char*>(memory), size));
  }
  ~Mapping() { ::munmap(memory_, size_); }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  [[nodiscard]] char* slot(std::size_t index) const {
    return memory_ + kSlotsOffset + index * kSlotBytes;
  }

 private:
  Mapping(char* memory, std::size_t size) : memory_(memory), size_(size) {}
  char* memory_;
  std::size_t size_;
};

std::string_view step_name(Step step) {
  switch (step) {
    case Step::kDecode: return "decode";
    case Step::kSplit: return "split";
    case Step::kContent: return "content";
    case Step::kTransaction: return "transaction";
    case Step::kSalvage: return "salvage";
  }
  return "unknown step";
}

Error refusal(Step step) {
  return {Errc::kInHand, std::string(step_name(step))};
}

// --- Slot and InHand ---

std::uint32_t Slot::remembered(const Work& work) const {
  const auto found = std::ranges::find(suspects_, work, &Suspect::work);
  return found == suspects_.end() ? 0 : found->crashes;
}

// Not inline: no part of a step is moved before the slot is set or behind its clearing.
InHand::InHand(Slot& slot, const Work& work) : slot_(slot) {
  if (slot.crashes(work) > 0) [[unlikely]]
    turn_ = std::unique_lock(slot.turn_);
  Slot::Cell& cell = slot.cell_;
  CHECK(cell.step.load(std::memory_order_relaxed) == 0, "a slot has two records in hand");
  cell.topic.store(static_cast<std::uint32_t>(work.record.where.topic), std::memory_order_release);
  cell.partition.store(work.record.where.partition, std::memory_order_release);
  cell.offset.store(work.record.offset, std::memory_order_release);
  cell.step.store(static_cast<std::uint32_t>(work.step), std::memory_order_release);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (slot.kill_at_ == work) [[unlikely]]
    kill_here();
}

InHand::~InHand() {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  slot_.cell_.step.store(0, std::memory_order_release);
}

// --- Slots ---

Slots::Slots(std::size_t slots) {
  make_slots(slots);
}

Slots::Slots(const std::filesystem::path& file, std::size_t slots) : kill_at_(kill_point()) {
  CHECK(slots <= kSlotsMax, "{} slots", slots);
  FileContent content;
  bool usable = false;
  if (auto octets = read(file); !octets) {
    problem_ = octets.error().to_string();
  } else if (!octets->empty()) {
    if (auto decoded = decode_file(*octets)) {
      content = *std::move(decoded);
      usable = content.slots == slots;
    } else {
      problem_ = file.string() + " starts anew: " + decoded.error().context;
    }
  }
  suspects_ = std::move(content.suspects);
  counted_ = count(suspects_, content.in_hand);
  // Nothing to count: the file as it is. So a start needs no room on a full disk.
  if (!usable || !counted_.empty()) {
    if (auto replaced = replace(file, encode_file(suspects_, slots)); !replaced) {
      problem_ = replaced.error().to_string();
      make_slots(slots);
      return;
    }
  }
  if (auto mapped = Mapping::of(&file, slots)) {
    mapping_ = *std::move(mapped);
  } else {
    problem_ = mapped.error().to_string();
  }
  make_slots(slots);
}

Slots::~Slots() = default;

void Slots::make_slots(std::size_t count) {
  if (!mapping_) {
    auto memory = Mapping::of(nullptr, count);
    CHECK(memory.has_value(), "{}", memory.error().to_string());
    mapping_ = *std::move(memory);
  }
  static_assert(sizeof(Slot::Cell) == kSlotBytes);
  for (std::size_t i = 0; i < count; ++i) {
    // Zero, or what the last process left when it is of no known step.
    auto* cell = new (mapping_->slot(i)) Slot::Cell{};
    slots_.push_back(std::unique_ptr<Slot>(new Slot(*cell, suspects_, turn_, kill_at_)));
  }
}

}  // namespace godwit::poison
