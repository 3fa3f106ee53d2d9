#include "common/net/tls_memory.h"

#include <openssl/crypto.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "common/net/slot_pool.h"

namespace godwit::net {
namespace {

// Objects of more than `above` octets and at most a slot; the allocator's next size is far above that. The
// sizes in brackets are OpenSSL 3.0's: with another version an object may fall outside, and is malloc's.
struct SizeClass {
  std::size_t above;
  SlotPool::Shape shape;
};
constexpr std::size_t kSessionsMax = 1u << 20;
constexpr std::array kSizes{
    // SSL (7,624); fifteen pages
    SizeClass{.above = 7168, .shape = {7680, 8, kSessionsMax}},
    // AES-GCM for each direction (960), SSL_SESSION (928); fifteen pages
    SizeClass{.above = 896, .shape = {960, 64, 4 * kSessionsMax}},
    // CERT (536); eight pages
    SizeClass{.above = 512, .shape = {544, 60, 2 * kSessionsMax}},
};

// They live as long as the process: OpenSSL releases at its very end.
std::array<SlotPool*, kSizes.size()> pools{};

void* allocate(std::size_t bytes, const char* /*file*/, int /*line*/) {
  for (std::size_t i = 0; i < kSizes.size(); ++i) {
    if (bytes <= kSizes[i].above || bytes > kSizes[i].shape.slot_bytes) continue;
    if (void* slot = pools[i]->allocate()) return slot;
  }
  return std::malloc(bytes);
}

SlotPool* owner_of(const void* at) {
  for (SlotPool* pool : pools) {
    if (pool->owns(at)) return pool;
  }
  return nullptr;
}

void release(void* at, const char* /*file*/, int /*line*/) {
  if (at == nullptr) return;  // more than half of all calls
  if (SlotPool* const pool = owner_of(at)) {
    pool->release(at);
  } else {
    std::free(at);
  }
}

void* resize(void* at, std::size_t bytes, const char* /*file*/, int /*line*/) {
  SlotPool* const pool = owner_of(at);
  if (pool == nullptr) return std::realloc(at, bytes);
  if (bytes <= pool->slot_bytes()) return at;
  void* const larger = std::malloc(bytes);
  if (larger == nullptr) return nullptr;
  std::memcpy(larger, at, pool->slot_bytes());
  pool->release(at);
  return larger;
}

constexpr bool sanitized() {
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer) || \
    __has_feature(thread_sanitizer)
  return true;
#else
  return false;
#endif
}

}  // namespace

bool install_tls_memory() {
  if (sanitized() || pools.front() != nullptr) return false;
  for (std::size_t i = 0; i < kSizes.size(); ++i) {
    pools[i] = new SlotPool(kSizes[i].shape);
    if (!pools[i]->usable()) return false;
  }
  return CRYPTO_set_mem_functions(allocate, resize, release) == 1;
}

}  // namespace godwit::net
