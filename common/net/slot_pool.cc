#include "common/net/slot_pool.h"

#include <sys/mman.h>
#include <unistd.h>

#include <bit>

#include "common/base/check.h"

namespace godwit::net {
namespace {

std::size_t whole_pages(std::size_t bytes) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

}  // namespace

SlotPool::SlotPool(const Shape& shape)
    : shape_(shape), chunk_bytes_(whole_pages(shape.slot_bytes * shape.slots_of_chunk)) {
  CHECK(shape_.slot_bytes % 16 == 0 && shape_.slots_of_chunk <= 64);
  const std::size_t bytes = chunk_bytes_ * (shape_.slots_max / shape_.slots_of_chunk);
  void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return;
  // A huge page would hold what goes back a chunk at a time.
  (void)::madvise(at, bytes, MADV_NOHUGEPAGE);
  begin_ = static_cast<std::byte*>(at);
  end_ = begin_ + bytes;
}

SlotPool::~SlotPool() {
  if (begin_ != nullptr) ::munmap(begin_, static_cast<std::size_t>(end_ - begin_));
}

void* SlotPool::allocate() {
  const std::lock_guard lock(mutex_);
  if (open_.empty()) {
    if (chunks_.size() == shape_.slots_max / shape_.slots_of_chunk) return nullptr;
    open_.push_back(static_cast<std::uint32_t>(chunks_.size()));
    chunks_.push_back({.listed = true});
  }
  const std::uint32_t number = open_.back();
  Chunk& chunk = chunks_[number];
  if (chunk.taken == 0) {
    if (chunk.held) {
      --idle_;
    } else {
      chunk.held = true;
      ++held_;
    }
  }
  const auto slot = static_cast<std::size_t>(std::countr_one(chunk.taken));
  chunk.taken |= 1ull << slot;
  if (std::popcount(chunk.taken) == static_cast<int>(shape_.slots_of_chunk)) {
    open_.pop_back();
    chunk.listed = false;
  }
  return begin_ + (number * chunk_bytes_) + (slot * shape_.slot_bytes);
}

void SlotPool::release(void* slot) {
  const auto at = static_cast<std::size_t>(static_cast<std::byte*>(slot) - begin_);
  const auto number = static_cast<std::uint32_t>(at / chunk_bytes_);
  const std::size_t index = at % chunk_bytes_ / shape_.slot_bytes;
  const std::lock_guard lock(mutex_);
  Chunk& chunk = chunks_[number];
  CHECK((chunk.taken >> index & 1u) != 0, "slot {} of chunk {} was free", index, number);
  chunk.taken &= ~(1ull << index);
  if (!chunk.listed) {
    open_.push_back(number);
    chunk.listed = true;
  }
  if (chunk.taken != 0) return;
  if (idle_ < kIdleChunksMax) {
    ++idle_;
    return;
  }
  (void)::madvise(begin_ + (number * chunk_bytes_), chunk_bytes_, MADV_DONTNEED);
  chunk.held = false;
  --held_;
}

std::size_t SlotPool::chunks_held() const {
  const std::lock_guard lock(mutex_);
  return held_;
}

}  // namespace godwit::net
