#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace godwit::net {

// Memory for many objects of one size, packed without rounding that size up.
//
// Input    objects of at most slot_bytes(), at most Shape::slots_max of them at a time
// Output   memory aligned to 16 octets; nullptr beyond slots_max, or when the system has no memory
// Memory   address space for all slots is reserved at once; pages are taken as they are used, those of some
//          slots (a chunk) at a time. A chunk that holds nothing goes back to the system, but for kIdleChunksMax
//          of them.
// Threads  any; one short lock a call
class SlotPool {
 public:
  static constexpr std::size_t kIdleChunksMax = 16;

  struct Shape {
    std::size_t slot_bytes;      // a multiple of 16
    std::size_t slots_of_chunk;  // at most 64; best when they fill whole pages
    std::size_t slots_max;
  };
  // Reserves; usable() says whether the system allowed it.
  explicit SlotPool(const Shape& shape);
  ~SlotPool();
  SlotPool(const SlotPool&) = delete;
  SlotPool& operator=(const SlotPool&) = delete;

  [[nodiscard]] bool usable() const { return begin_ != nullptr; }
  [[nodiscard]] std::size_t slot_bytes() const { return shape_.slot_bytes; }
  [[nodiscard]] void* allocate();
  void release(void* slot);
  // Whether it is a slot of this pool. Without the lock.
  [[nodiscard]] bool owns(const void* at) const {
    const auto* octet = static_cast<const std::byte*>(at);
    return octet >= begin_ && octet < end_;
  }
  // Chunks whose pages it holds.
  [[nodiscard]] std::size_t chunks_held() const;

 private:
  struct Chunk {
    std::uint64_t taken = 0;  // a bit for each slot
    bool listed = false;      // is in open_
    bool held = false;        // has pages
  };

  const Shape shape_;
  const std::size_t chunk_bytes_;
  std::byte* begin_ = nullptr;
  std::byte* end_ = nullptr;
  mutable std::mutex mutex_;
  std::vector<Chunk> chunks_;        // as many as were ever used
  std::vector<std::uint32_t> open_;  // chunks with a free slot; the last is used next
  std::size_t idle_ = 0;             // held chunks that hold nothing
  std::size_t held_ = 0;
};

}  // namespace godwit::net
