#include "bench/smoke/counts.h"

#include <dlfcn.h>
#include <valgrind/callgrind.h>

#include <cstddef>

namespace {

bool counting = false;
godwit::bench::Counts so_far;

using Copy = void* (*)(void*, const void*, std::size_t);

// The C library's, found at the first call. What is copied while it is looked for goes octet by octet.
void* copy(Copy& real, const char* name, void* to, const void* from, std::size_t size) {
  static bool looking = false;
  if (real == nullptr && !looking) {
    looking = true;
    real = reinterpret_cast<Copy>(::dlsym(RTLD_NEXT, name));
    looking = false;
  }
  if (counting) so_far.octets_copied += size;
  if (real != nullptr) [[likely]]
    return real(to, from, size);
  auto* into = static_cast<volatile char*>(to);
  const auto* out = static_cast<const char*>(from);
  if (into <= out) {
    for (std::size_t i = 0; i < size; ++i) into[i] = out[i];
  } else {
    for (std::size_t i = size; i > 0; --i) into[i - 1] = out[i - 1];
  }
  return to;
}

Copy real_memcpy = nullptr;
Copy real_memmove = nullptr;

}  // namespace

// In the executable, so that every library calls these.
extern "C" {

void* memcpy(void* to, const void* from, std::size_t size) {
  return copy(real_memcpy, "memcpy", to, from, size);
}
void* memmove(void* to, const void* from, std::size_t size) {
  return copy(real_memmove, "memmove", to, from, size);
}

// The C library's own names for its functions.
void* __libc_malloc(std::size_t size);                     // NOLINT(bugprone-reserved-identifier)
void* __libc_calloc(std::size_t count, std::size_t size);  // NOLINT(bugprone-reserved-identifier)
void* __libc_realloc(void* memory, std::size_t size);      // NOLINT(bugprone-reserved-identifier)
void* __libc_memalign(std::size_t alignment,
                      std::size_t size);  // NOLINT(bugprone-reserved-identifier)

void* malloc(std::size_t size) {
  if (counting) ++so_far.allocations;
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  if (counting) ++so_far.allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) {
  if (counting) ++so_far.allocations;
  return __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {  // frames of Asio's coroutines
  if (counting) ++so_far.allocations;
  return __libc_memalign(alignment, size);
}

}  // extern "C"

namespace godwit::bench {

Counted::Counted(bool counts) : counts_(counts) {
  if (!counts_) return;
  counting = true;
  CALLGRIND_TOGGLE_COLLECT;
}
Counted::~Counted() {
  if (!counts_) return;
  CALLGRIND_TOGGLE_COLLECT;
  counting = false;
}

Counts counts() {
  return so_far;
}

void start_counting() {
  so_far = {};
  CALLGRIND_START_INSTRUMENTATION;
}

void stop_counting() {
  CALLGRIND_STOP_INSTRUMENTATION;
}

}  // namespace godwit::bench
